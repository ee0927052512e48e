/*
 * option_place: what set each key, for complaints that come once all is read.
 */
#include "option_place.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option_property.h"

enum {
    KEY_SIZE = 256,        /* a longer one is none of ours */
    COMPLAINT_SIZE = 8192, /* has room for the longest path */
};

struct option_places *
option_places_open(const char *file)
{
    struct option_places *places = calloc(1, sizeof(*places));

    if (places != NULL && file != NULL) {
        places->file = strdup(file);
        if (places->file == NULL) {
            free(places);
            return NULL;
        }
    }
    return places;
}

void
option_places_close(struct option_places *places)
{
    if (places != NULL) {
        free(places->file);
        free(places);
    }
}

static struct option_place
property_place(const struct option_properties *properties, const char *name)
{
    const struct option_property *set = option_property_find(properties, name);
    struct option_place place = {0};

    if (set != NULL) {
        place.line = set->line;
        place.variable = set->line == 0;
    }
    return place;
}

/* Of "section.key", len bytes of text; zeroed where that is no key. */
static struct option_place
place_of(const struct options *options, const char *text, size_t len)
{
    const struct option_place none = {0};
    const struct option_row *row;
    char section[KEY_SIZE];
    char *key;

    if (options->places == NULL || len >= sizeof(section)) {
        return none;
    }
    memcpy(section, text, len);
    section[len] = '\0';
    key = strchr(section, '.');
    if (key == NULL) {
        return none;
    }
    *key++ = '\0';
    row = option_find(section, key);
    if (row == NULL) {
        return none;
    }
    if (row->type == OPTION_PROPERTIES) {
        return property_place(
            (const void *)((const char *)options + row->offset), key);
    }
    return options->places->rows[row - option_rows];
}

bool
options_is_set(const struct options *options, const char *key)
{
    struct option_place place = place_of(options, key, strlen(key));

    return place.variable || place.line > 0;
}

/* Writes the variable of a key of len bytes: VERVE_REDIS_TIMEOUT_MS. */
static void
write_variable(char name[KEY_SIZE], const char *key, size_t len)
{
    snprintf(name, KEY_SIZE, "VERVE_%.*s", (int)len, key);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

void
options_complain(const struct options *options, const char *text,
                 option_complaint *complain, void *context)
{
    size_t len = strcspn(text, ":");
    struct option_place place = place_of(options, text, len);
    char whole[COMPLAINT_SIZE];

    if (place.variable) {
        char name[KEY_SIZE];

        write_variable(name, text, len);
        snprintf(whole, sizeof(whole), "%s: %s", name, text);
    } else if (place.line > 0) {
        snprintf(whole, sizeof(whole), "%s:%d: %s", options->places->file,
                 place.line, text);
    } else {
        snprintf(whole, sizeof(whole), "%s", text);
    }
    complain(context, whole);
}
