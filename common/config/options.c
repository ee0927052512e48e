/*
 * option: the file that settings come from, their help and their end. How they
 * come about is in option_load.c.
 */
#include "options.h"

#include <string.h>
#include <unistd.h>

#include "option_place.h"
#include "table.h"
#include "value.h"

static const char *
variable(char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, len) == 0 &&
            (*environment)[len] == '=') {
            return *environment + len + 1;
        }
    }
    return NULL;
}

const char *
options_file(const char *file, char *const *environment)
{
    const char *named = variable(environment, "VERVE_CONF");

    if (file != NULL) {
        return file;
    }
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    return access(OPTIONS_FILE, F_OK) == 0 ? OPTIONS_FILE : NULL;
}

void
options_fini(struct options *options)
{
    for (size_t i = 0; i < option_row_count; i++) {
        option_clear(options, &option_rows[i]);
    }
    option_places_close(options->places);
    memset(options, 0, sizeof(*options));
}

static void
help_row(const struct option_row *row, FILE *out)
{
    char expected[OPTION_WHY_SIZE];

    if (row->type == OPTION_PROPERTIES) {
        fprintf(out, "  %s\n      %s\n", row->key, row->help);
        return;
    }
    option_expected(row, expected, sizeof(expected));
    fprintf(out, "  %s = %s\n      %s\n      May be %s.\n", row->key,
            row->fallback, row->help, expected);
}

void
options_help(FILE *out)
{
    const char *section = "";

    fprintf(out, "Options with their defaults; the environment variable "
                 "VERVE_<SECTION>_<KEY>\noverrides the file:\n");
    for (size_t i = 0; i < option_row_count; i++) {
        if (strcmp(section, option_rows[i].section) != 0) {
            section = option_rows[i].section;
            fprintf(out, "\n[%s]\n", section);
        }
        help_row(&option_rows[i], out);
    }
}
