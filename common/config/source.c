/*
 * source: where the value of a key came from. If a file of the key's own has
 * the value, the key that names this file is the one that the user set.
 */
#include "source.h"

#include <stdio.h>
#include <string.h>

#include "value.h"
#include "variable.h"

enum { COMPLAINT_SIZE = PLACE_SIZE + 4096 };

struct option_source *
source_of(const struct options *options, const char *name)
{
    const struct option_row *row = option_find(name);

    if (row == NULL || options->sources == NULL) {
        return NULL;
    }
    if (row->type == OPTION_PROPERTIES) {
        struct option_property *set = option_property(options, row, name);

        return set == NULL ? NULL : &set->source;
    }
    return &options->sources[row - option_rows];
}

bool
options_is_set(const struct options *options, const char *key)
{
    const struct option_source *source = source_of(options, key);

    return source != NULL && source->line != 0;
}

void
source_write(char place[PLACE_SIZE], const struct options *options,
             const char *name)
{
    const struct option_source *source = source_of(options, name);
    int line = source == NULL ? 0 : source->line;
    char key[OPTION_NAME_SIZE];

    snprintf(key, sizeof(key), "%.200s%s", name,
             source != NULL && source->from_file ? OPTION_FILE_SUFFIX : "");
    if (line == OPTION_BY_VARIABLE) {
        char variable[OPTION_NAME_SIZE];

        variable_write(variable, key);
        snprintf(place, PLACE_SIZE, "%s: %s", variable, key);
    } else if (line > 0) {
        snprintf(place, PLACE_SIZE, "%s:%d: %s", options->file_name, line, key);
    } else {
        snprintf(place, PLACE_SIZE, "%s", key);
    }
}

void
options_complain(const struct options *options, const char *text,
                 option_complaint *complain, void *context)
{
    size_t len = strcspn(text, ":");
    char name[OPTION_NAME_SIZE];
    char place[PLACE_SIZE];
    char whole[COMPLAINT_SIZE];

    snprintf(name, sizeof(name), "%.*s", (int)len, text);
    source_write(place, options, name);
    snprintf(whole, sizeof(whole), "%s%s", place, text + len);
    complain(context, whole);
}
