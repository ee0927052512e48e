/*
 * options: all settings from the defaults, the file and the environment, in
 * this order, and the error messages for wrong settings. No key is named here.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ini_file.h"
#include "pairs.h"
#include "secret.h"
#include "source.h"
#include "table.h"
#include "value.h"
#include "variable.h"

enum {
    COMPLAINT_SIZE = 8192,
};

struct loader {
    struct options *options;
    option_complaint *complain;
    void *context;
    int complaints;
};

/* One key as the file or the environment sets it. */
struct setting {
    const char *place; /* "FILE:3: redis.url" or "VERVE_REDIS_URL" */
    int line;          /* as option_source has it */
    const char *name;  /* "redis.url" */
    const char *value;
};

const char *
options_file(const char *file)
{
    const char *named = getenv("VERVE_CONF");

    if (file != NULL) {
        return file;
    }
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    return access(OPTIONS_FILE, F_OK) == 0 ? OPTIONS_FILE : NULL;
}

static void __attribute__((format(printf, 3, 4)))
complain(struct loader *loader, const char *place, const char *format, ...)
{
    char text[COMPLAINT_SIZE];
    size_t used;
    va_list arguments;

    snprintf(text, sizeof(text), "%s: ", place);
    used = strlen(text);
    va_start(arguments, format);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
    va_end(arguments);
    loader->complain(loader->context, text);
    loader->complaints++;
}

static void
complain_unknown(struct loader *loader, const struct setting *setting)
{
    const struct option_row *near = option_nearest(setting->name);
    char name[OPTION_NAME_SIZE];
    char variable[OPTION_NAME_SIZE];

    if (near == NULL) {
        complain(loader, setting->place, "there is no such key");
        return;
    }
    snprintf(name, sizeof(name), "%s.%s", near->section, near->key);
    variable_write(variable, name);
    complain(loader, setting->place, "there is no such key; is it %s?",
             setting->line == OPTION_BY_VARIABLE ? variable : name);
}

/* Shells and other formats take quotes away; here they would be a part of the
   value. */
static bool
is_quoted(const char *value)
{
    size_t len = strlen(value);

    return len >= 2 && (value[0] == '"' || value[0] == '\'') &&
           value[len - 1] == value[0];
}

static void
apply(struct loader *loader, const struct setting *setting)
{
    const struct option_row *row = option_find(setting->name);
    struct option_source *source = source_of(loader->options, setting->name);
    char why[OPTION_WHY_SIZE];
    bool wrong;

    if (row == NULL) {
        complain_unknown(loader, setting);
        return;
    }
    if (setting->line > 0 && source != NULL && source->line > 0) {
        complain(loader, setting->place, "it is set in line %d already",
                 source->line);
        return;
    }
    if (is_quoted(setting->value)) {
        snprintf(why, sizeof(why),
                 "remove the quotes: they would be a part of the value");
        wrong = true;
    } else {
        wrong = option_set(loader->options, row, setting->name, setting->value,
                           why) != 0;
    }
    if (wrong) {
        complain(loader, setting->place, "%s", why);
    }
    source = source_of(loader->options, setting->name); /* may be new now */
    if (source != NULL) {
        source->line = setting->line;
        source->wrong |= wrong;
    }
}

static void
load_defaults(struct loader *loader)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char why[OPTION_WHY_SIZE];

        if (row->type != OPTION_PROPERTIES &&
            option_set(loader->options, row, NULL, row->fallback, why) != 0) {
            complain(loader, "default", "%s.%s: %s", row->section, row->key,
                     why);
        }
    }
}

/* An ini_file_entry. */
static void
on_entry(void *context, int line, const char *section, const char *key,
         const char *value)
{
    struct loader *loader = context;
    char name[OPTION_NAME_SIZE];
    char place[PLACE_SIZE];
    struct setting setting = {
        .place = place, .line = line, .name = name, .value = value};

    snprintf(name, sizeof(name), "%s.%s", section, key);
    snprintf(place, sizeof(place), "%s:%d: %.80s", loader->options->file_name,
             line, name);
    apply(loader, &setting);
}

/* An ini_file_problem. */
static void
on_problem(void *context, int line, const char *text)
{
    struct loader *loader = context;
    char place[PLACE_SIZE];

    snprintf(place, sizeof(place), "%s:%d", loader->options->file_name, line);
    complain(loader, place, "%s", text);
}

static void
load_file(struct loader *loader, const char *file)
{
    const char *why =
        file == NULL ? NULL : ini_file_read(file, on_entry, on_problem, loader);

    if (why != NULL) {
        complain(loader, file, "can't be read: %s", why);
    }
}

static void
load_variable(struct loader *loader, const char *variable, const char *value)
{
    char name[OPTION_NAME_SIZE];
    struct setting setting = {.place = variable,
                              .line = OPTION_BY_VARIABLE,
                              .name = name,
                              .value = value};

    if (!variable_read(name, variable)) {
        return;
    }
    if (strpbrk(variable, "abcdefghijklmnopqrstuvwxyz") != NULL) {
        complain(loader, variable, "its name has to be in capitals");
        return;
    }
    apply(loader, &setting);
}

static void
load_environment(struct loader *loader, char *const *environment)
{
    for (; *environment != NULL; environment++) {
        char variable[OPTION_NAME_SIZE];
        const char *value = variable_copy(variable, *environment);

        if (value != NULL) {
            load_variable(loader, variable, value);
        }
    }
}

int
options_load(struct options *options, const char *file,
             char *const *environment, option_complaint *complain_to,
             void *context)
{
    struct loader loader = {
        .options = options, .complain = complain_to, .context = context};
    int pairs_result, secrets_result;

    memset(options, 0, sizeof(*options));
    options->file_name = file;
    options->sources = calloc(option_row_count, sizeof(*options->sources));
    if (options->sources == NULL) {
        complain_to(context, "no memory");
        return -1;
    }
    load_defaults(&loader);
    load_file(&loader, file);
    load_environment(&loader, environment);
    pairs_result = pairs_check(options, complain_to, context);
    secrets_result = secret_check(options, complain_to, context);
    return loader.complaints == 0 && pairs_result == 0 && secrets_result == 0
               ? 0
               : -1;
}

void
options_fini(struct options *options)
{
    for (size_t i = 0; i < option_row_count; i++) {
        option_clear(options, &option_rows[i]);
    }
    free(options->sources);
    memset(options, 0, sizeof(*options));
}

/* Writes a part of a value, "section.key.part". False: there is none. */
static bool
print_part(FILE *out, const struct options *options, const char *name)
{
    const char *part = strrchr(name, '.');
    const struct option_row *row = NULL;
    char key[OPTION_NAME_SIZE];

    if (part != NULL && part - name < OPTION_NAME_SIZE) {
        snprintf(key, sizeof(key), "%.*s", (int)(part - name), name);
        row = option_find(key);
    }
    return row != NULL && row->print_part != NULL &&
           row->print_part(out, option_text(options, row), part + 1);
}

int
options_print(FILE *out, const struct options *options, const char *key)
{
    const struct option_row *row = option_find(key);

    if (row != NULL) {
        option_print(out, options, row, key);
    } else if (!print_part(out, options, key)) {
        return -1;
    }
    fputc('\n', out);
    return 0;
}

static void
help_row(FILE *out, const struct option_row *row)
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
options_open_log(const struct options *options, const char *name)
{
    const struct log_settings settings = {
        .target = options->log.target,
        .format = (enum log_format)options->log.format,
        .level = (enum log_level)options->log.level};

    log_open(name, &settings);
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
        help_row(out, &option_rows[i]);
    }
}
