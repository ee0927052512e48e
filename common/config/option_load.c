/*
 * option_load: all settings out of defaults, file and environment, in this
 * order, and what is said of those that are wrong. Knows no key by name but
 * those that have to be judged together.
 */
#include "options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "ini_file.h"
#include "option_place.h"
#include "option_property.h"
#include "table.h"
#include "value.h"

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

/* Of a value that other keys make wrong; format begins with its key. */
static void __attribute__((format(printf, 2, 3)))
complain_of_key(struct loader *loader, const char *format, ...)
{
    char text[COMPLAINT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    options_complain(loader->options, text, loader->complain, loader->context);
    loader->complaints++;
}

/* Of a row that is not OPTION_PROPERTIES. */
static struct option_place *
place_of(struct loader *loader, const struct option_row *row)
{
    return &loader->options->places->rows[row - option_rows];
}

/* Whether both of a section's keys have the values that they were given. */
static bool
are_read(struct loader *loader, const char *section, const char *one,
         const char *other)
{
    return !place_of(loader, option_find(section, one))->wrong &&
           !place_of(loader, option_find(section, other))->wrong;
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

/* The file comes before the environment: what is set was set by it. */
static void
set_already(struct loader *loader, int line, const char *section,
            const char *key, int set_in)
{
    complain(loader, "%s:%d: %s.%.64s: it is set in line %d already",
             loader->file, line, section, key, set_in);
}

static void
file_property(struct loader *loader, int line, const struct option_row *row,
              const char *key, const char *value)
{
    struct option_properties *properties = option_field(loader->options, row);
    const struct option_property *set = option_property_find(properties, key);
    const char *problem;

    if (set != NULL) {
        set_already(loader, line, row->section, key, set->line);
        return;
    }
    problem = option_property_set(properties, key, value, line);
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
    set_in = &place_of(loader, row)->line;
    if (*set_in != 0) {
        set_already(loader, line, section, key, *set_in);
        return;
    }
    *set_in = line;
    if (option_set(loader->options, row, value, why) != 0) {
        place_of(loader, row)->wrong = true;
        complain(loader, "%s:%d: %s.%s: %s", loader->file, line, section, key,
                 why);
    }
}

static void
load_file(struct loader *loader)
{
    struct ini_file_events events = {
        .entry = file_entry,
        .problem = file_problem,
        .context = loader,
    };

    if (loader->file != NULL) {
        ini_file_read(loader->file, &events);
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
    return option_property_set(option_field(loader->options, row), key, value,
                               0);
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
    } else {
        place_of(loader, row)->variable = true;
        if (option_set(loader->options, row, value, why) != 0) {
            place_of(loader, row)->wrong = true;
            problem = why;
        }
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

/* An attempt starts only with its time limit and 1 s of lease left. */
static void
check_lease(struct loader *loader)
{
    int64_t timeout_ms = loader->options->callbacks.timeout_ms;
    int64_t lease_s = loader->options->callbacks.lease_s;
    int64_t http_call_s = (timeout_ms + 999) / 1000;
    int64_t least_s = http_call_s < 2 ? http_call_s + 2 : 2 * http_call_s;

    if (lease_s >= least_s ||
        !are_read(loader, "callbacks", "lease_s", "timeout_ms")) {
        return;
    }
    if (options_is_set(loader->options, "callbacks.lease_s")) {
        complain_of_key(loader,
                        "callbacks.lease_s: %" PRId64 " is too short for "
                        "callbacks.timeout_ms = %" PRId64
                        "; make it at least %" PRId64,
                        lease_s, timeout_ms, least_s);
    } else {
        complain_of_key(loader,
                        "callbacks.timeout_ms: %" PRId64 " is too long for "
                        "callbacks.lease_s = %" PRId64
                        "; make that at least %" PRId64,
                        timeout_ms, lease_s, least_s);
    }
}

/* Redis may be 100 ms late to say that replicas are missing: redis.c. */
static void
check_waiting(struct loader *loader)
{
    int64_t timeout_ms = loader->options->redis.timeout_ms;
    int64_t replicas = loader->options->redis.wait_replicas;

    if (replicas > 0 && timeout_ms < WAITING_LEAST_MS &&
        are_read(loader, "redis", "timeout_ms", "wait_replicas")) {
        complain_of_key(loader,
                        "redis.timeout_ms: %" PRId64 " is too short for "
                        "redis.wait_replicas = %" PRId64
                        "; make it at least %d",
                        timeout_ms, replicas, WAITING_LEAST_MS);
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
    options->places = option_places_open(file);
    if (options->places == NULL) {
        complain(&loader, "no memory");
        return -1;
    }
    load_defaults(&loader);
    load_file(&loader);
    load_environment(&loader, environment);
    check_lease(&loader);
    check_waiting(&loader);
    return loader.complaints == 0 ? 0 : -1;
}
