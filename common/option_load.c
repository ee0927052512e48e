/*
 * option_load: all settings out of defaults, file and environment, in this
 * order, and what is said of those that are wrong. Knows no key by name but
 * those that have to be judged together.
 */
#include "option.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "option_file.h"
#include "option_property.h"
#include "option_table.h"
#include "option_value.h"

enum {
    COMPLAINT_SIZE = 8192, /* has room for the longest path */
    VARIABLE_SIZE = 256,   /* a longer name is none of ours */
    WAITING_LEAST_MS = 200,
};

struct loader {
    struct options *options;
    const char *file; /* NULL: none */
    option_complaint *complain;
    void *context;
    int complaints;
    int lines[OPTION_ROWS_MAX]; /* of file that set each row; 0: none */
};

static void __attribute__((format(printf, 2, 3)))
complain(struct loader *loader, const char *format, ...)
{
    char text[COMPLAINT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    loader->complain(loader->context, text);
    loader->complaints++;
}

static void
load_defaults(struct loader *loader)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char why[OPTION_WHY_SIZE];

        if (row->type != OPTION_PROPERTIES &&
            option_set(loader->options, row, row->fallback, why) != 0) {
            complain(loader, "default of %s.%s: %s", row->section, row->key,
                     why);
        }
    }
}

static void
file_problem(void *context, int line, const char *text)
{
    struct loader *loader = context;

    if (line == 0) {
        complain(loader, "%s: %s", loader->file, text);
    } else {
        complain(loader, "%s:%d: %s", loader->file, line, text);
    }
}

static void
file_unknown_key(struct loader *loader, int line, const char *section,
                 const char *key)
{
    const struct option_row *near = option_nearest(section, key);

    if (near == NULL) {
        complain(loader, "%s:%d: %s.%.64s: there is no such key", loader->file,
                 line, section, key);
    } else {
        complain(loader, "%s:%d: %s.%.64s: there is no such key; is it %s.%s?",
                 loader->file, line, section, key, near->section, near->key);
    }
}

static void
file_property(struct loader *loader, int line, const struct option_row *row,
              const char *key, const char *value)
{
    struct option_properties *properties = option_field(loader->options, row);
    const char *problem = "it is set further up already";

    /* The file comes first: what is there now came from it. */
    if (!option_property_exists(properties, key)) {
        problem = option_property_set(properties, key, value);
    }
    if (problem != NULL) {
        complain(loader, "%s:%d: %s.%.64s: %s", loader->file, line,
                 row->section, key, problem);
    }
}

static void
file_entry(void *context, int line, const char *section, const char *key,
           const char *value)
{
    struct loader *loader = context;
    const struct option_row *row = option_find(section, key);
    char why[OPTION_WHY_SIZE];
    int *set_in;

    if (row == NULL) {
        file_unknown_key(loader, line, section, key);
        return;
    }
    if (row->type == OPTION_PROPERTIES) {
        file_property(loader, line, row, key, value);
        return;
    }
    set_in = &loader->lines[row - option_rows];
    if (*set_in != 0) {
        complain(loader, "%s:%d: %s.%s: it is set in line %d already",
                 loader->file, line, section, key, *set_in);
        return;
    }
    *set_in = line;
    if (option_set(loader->options, row, value, why) != 0) {
        complain(loader, "%s:%d: %s.%s: %s", loader->file, line, section, key,
                 why);
    }
}

static void
load_file(struct loader *loader)
{
    struct option_file_events events = {
        .entry = file_entry,
        .problem = file_problem,
        .context = loader,
    };

    if (loader->file != NULL) {
        option_file_read(loader->file, &events);
    }
}

static void
unknown_variable(struct loader *loader, const char *name, const char *section,
                 const char *key)
{
    const struct option_row *near = option_nearest(section, key);

    if (near == NULL) {
        complain(loader, "%.128s: there is no such key", name);
    } else {
        char known[OPTION_NAME_SIZE];

        option_variable(near, known);
        complain(loader, "%.128s: there is no such key; is it %s?", name,
                 known);
    }
}

static const char *
set_variable_property(struct loader *loader, const struct option_row *row,
                      char *key, const char *value)
{
    for (char *c = key; *c != '\0'; c++) {
        if (*c == '_') {
            *c = '.';
        }
    }
    return option_property_set(option_field(loader->options, row), key, value);
}

/* Takes one VERVE_<SECTION>_<KEY> of the environment. */
static void
load_variable(struct loader *loader, const char *name, const char *section,
              char *key, const char *value)
{
    const struct option_row *row = option_find(section, key);
    char why[OPTION_WHY_SIZE];
    const char *problem = NULL;

    if (strpbrk(name, "abcdefghijklmnopqrstuvwxyz") != NULL) {
        complain(loader, "%.128s: its name has to be in capitals", name);
        return;
    }
    if (row == NULL) {
        unknown_variable(loader, name, section, key);
        return;
    }
    if (row->type == OPTION_PROPERTIES) {
        problem = set_variable_property(loader, row, key, value);
    } else if (option_set(loader->options, row, value, why) != 0) {
        problem = why;
    }
    if (problem != NULL) {
        complain(loader, "%.128s: %s", name, problem);
    }
}

static void
load_environment(struct loader *loader, char *const *environment)
{
    for (; *environment != NULL; environment++) {
        char name[VARIABLE_SIZE];
        char key[VARIABLE_SIZE];
        const char *section;
        size_t len = strcspn(*environment, "=");

        if ((*environment)[len] != '=' || len >= sizeof(name)) {
            continue;
        }
        memcpy(name, *environment, len);
        name[len] = '\0';
        section = option_variable_section(name, key);
        if (section != NULL) {
            load_variable(loader, name, section, key, *environment + len + 1);
        }
    }
}

/* What concerns more than one key. */
static void
check_together(struct loader *loader)
{
    const struct options *options = loader->options;
    int64_t attempt_s = (options->callbacks.timeout_ms + 999) / 1000;
    int64_t least_s = attempt_s < 2 ? attempt_s + 2 : 2 * attempt_s;

    /* An attempt starts only with its time limit and 1 s of lease left. */
    if (options->callbacks.lease_s < least_s) {
        complain(
            loader,
            "callbacks.lease_s: %" PRId64 " is too short for "
            "callbacks.timeout_ms = %" PRId64 "; make it at least %" PRId64,
            options->callbacks.lease_s, options->callbacks.timeout_ms, least_s);
    }
    /* Redis may be 100 ms late to say that replicas are missing: redis.c. */
    if (options->redis.wait_replicas > 0 &&
        options->redis.timeout_ms < WAITING_LEAST_MS) {
        complain(loader,
                 "redis.timeout_ms: %" PRId64 " is too short for "
                 "redis.wait_replicas = %" PRId64 "; make it at least %d",
                 options->redis.timeout_ms, options->redis.wait_replicas,
                 WAITING_LEAST_MS);
    }
}

int
options_load(struct options *options, const char *file,
             char *const *environment, option_complaint *complain_to,
             void *context)
{
    struct loader loader = {
        .options = options,
        .file = file,
        .complain = complain_to,
        .context = context,
    };

    memset(options, 0, sizeof(*options));
    load_defaults(&loader);
    load_file(&loader);
    load_environment(&loader, environment);
    check_together(&loader);
    return loader.complaints == 0 ? 0 : -1;
}
