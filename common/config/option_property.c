/*
 * option_property: keys that are handed on as they are. There are few of
 * them, so looking one up is a walk.
 */
#include "option_property.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

static bool
is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static struct option_property *
find(const struct option_properties *properties, const char *name)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (strcmp(properties->items[i].name, name) == 0) {
            return &properties->items[i];
        }
    }
    return NULL;
}

/* Adds a property without a value; NULL: no memory. */
static struct option_property *
add(struct option_properties *properties, const char *name)
{
    size_t size = (properties->count + 1) * sizeof(properties->items[0]);
    struct option_property *grown = realloc(properties->items, size);
    struct option_property *added;

    if (grown == NULL) {
        return NULL;
    }
    properties->items = grown;
    added = &grown[properties->count];
    added->name = strdup(name);
    added->value = NULL;
    if (added->name == NULL) {
        return NULL;
    }
    properties->count++;
    return added;
}

const struct option_property *
option_property_find(const struct option_properties *properties,
                     const char *name)
{
    return find(properties, name);
}

const char *
option_property_set(struct option_properties *properties, const char *name,
                    const char *value, int line)
{
    struct option_property *property;
    char *copy;

    if (!is_name(name)) {
        return "a property's name has 1 to 128 small letters, digits, . _ -";
    }
    copy = strdup(value);
    if (copy == NULL) {
        return "no memory";
    }
    property = find(properties, name);
    if (property == NULL) {
        property = add(properties, name);
    }
    if (property == NULL) {
        free(copy);
        return "no memory";
    }
    free(property->value);
    property->value = copy;
    property->line = line;
    return NULL;
}

void
option_properties_clear(struct option_properties *properties)
{
    for (size_t i = 0; i < properties->count; i++) {
        free(properties->items[i].name);
        free(properties->items[i].value);
    }
    free(properties->items);
    memset(properties, 0, sizeof(*properties));
}
