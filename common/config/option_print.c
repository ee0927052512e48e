/*
 * option_print: the values of options as a file would say them, so that a
 * script need not read files and environment by itself.
 */
#include "options.h"

#include <inttypes.h>
#include <string.h>

#include "table.h"
#include "value.h"

static void
print_choices(FILE *out, const struct option_row *row, int value)
{
    const char *comma = "";

    for (const struct option_choice *c = row->choices; c->name != NULL; c++) {
        bool chosen = row->type == OPTION_CHOICE ? value == c->value
                                                 : (value & c->value) != 0;

        if (chosen) {
            fprintf(out, "%s%s", comma, c->name);
            comma = ",";
        }
    }
}

static void
print_delays(FILE *out, const struct option_delays *delays)
{
    for (size_t i = 0; i < delays->count; i++) {
        fprintf(out, "%s%" PRId64, i == 0 ? "" : ",", delays->s[i]);
    }
}

/* One that is not set is empty, as every text. */
static void
print_property(FILE *out, const struct option_properties *properties,
               const char *name)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (strcmp(properties->items[i].name, name) == 0) {
            fputs(properties->items[i].value, out);
        }
    }
}

static void
print_value(FILE *out, const struct options *options,
            const struct option_row *row, const char *name)
{
    const void *field = option_field((struct options *)options, row);

    switch (row->type) {
    case OPTION_NUMBER:
        fprintf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case OPTION_TEXT:
        fputs(*(char *const *)field, out);
        break;
    case OPTION_CHOICE:
    case OPTION_CHOICES:
        print_choices(out, row, *(const int *)field);
        break;
    case OPTION_DELAYS:
        print_delays(out, field);
        break;
    case OPTION_PROPERTIES:
        print_property(out, field, name);
        break;
    }
}

int
options_print(FILE *out, const struct options *options, const char *key)
{
    char section[OPTION_NAME_SIZE];
    const struct option_row *row = NULL;
    size_t len = strcspn(key, ".");

    if (len < sizeof(section) && key[len] == '.') {
        memcpy(section, key, len);
        section[len] = '\0';
        row = option_find(section, key + len + 1);
    }
    if (row == NULL) {
        return -1;
    }
    print_value(out, options, row, key + len + 1);
    fputc('\n', out);
    return 0;
}
