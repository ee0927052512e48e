/*
 * options: all settings from the defaults, the file and the environment, in
 * this order, and the error messages for wrong settings. No key is named here,
 * except the pairs of keys that are checked together.
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
#include "table.h"
#include "value.h"

enum {
    PLACE_SIZE = 4096 + OPTION_NAME_SIZE, /* the longest path fits */
    COMPLAINT_SIZE = 8192,
    WAITING_LEAST_MS = 200,
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

/* The source of a key; NULL: no such key, or a property that is not set. */
static struct option_source *
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

/* Writes the variable that sets a key: VERVE_REDIS_TIMEOUT_MS. */
static void
write_variable(char variable[OPTION_NAME_SIZE], const char *name)
{
    snprintf(variable, OPTION_NAME_SIZE, "VERVE_%s", name);
    for (char *c = variable; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

/* Writes a key after the line or variable that set it, if one of them did. */
static void
write_place(char place[PLACE_SIZE], const struct options *options,
            const char *name)
{
    const struct option_source *source = source_of(options, name);
    int line = source == NULL ? 0 : source->line;

    if (line == OPTION_BY_VARIABLE) {
        char variable[OPTION_NAME_SIZE];

        write_variable(variable, name);
        snprintf(place, PLACE_SIZE, "%s: %s", variable, name);
    } else if (line > 0) {
        snprintf(place, PLACE_SIZE, "%s:%d: %s", options->file_name, line,
                 name);
    } else {
        snprintf(place, PLACE_SIZE, "%s", name);
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
    write_place(place, options, name);
    snprintf(whole, sizeof(whole), "%s%s", place, text + len);
    complain(context, whole);
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
    write_variable(variable, name);
    complain(loader, setting->place, "there is no such key; is it %s?",
             setting->line == OPTION_BY_VARIABLE ? variable : name);
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
    wrong = option_set(loader->options, row, setting->name, setting->value,
                       why) != 0;
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
    if (file != NULL && ini_file_read(file, on_entry, on_problem, loader) < 0) {
        complain(loader, file, "can't be read: %s", strerror(errno));
    }
}

/*
 * Translates VERVE_REDIS_TIMEOUT_MS into redis.timeout_ms. No section has an
 * underscore in its name. Returns false if the variable is of no section.
 */
static bool
read_variable(char name[OPTION_NAME_SIZE], const char *variable)
{
    static const char prefix[] = "VERVE_";
    const struct option_row *row;
    char *key;

    if (!starts_with(variable, prefix)) {
        return false;
    }
    snprintf(name, OPTION_NAME_SIZE, "%s", variable + strlen(prefix));
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    key = strchr(name, '_');
    if (key == NULL) {
        return false;
    }
    *key = '\0';
    if (!option_section_exists(name)) {
        return false;
    }
    *key = '.';
    row = option_find(name);
    while (row != NULL && row->type == OPTION_PROPERTIES &&
           (key = strchr(key, '_')) != NULL) {
        *key = '.'; /* as in librdkafka's names */
    }
    return true;
}

static void
load_variable(struct loader *loader, const char *variable, const char *value)
{
    char name[OPTION_NAME_SIZE];
    struct setting setting = {.place = variable,
                              .line = OPTION_BY_VARIABLE,
                              .name = name,
                              .value = value};

    if (!read_variable(name, variable)) {
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
        size_t len = strcspn(*environment, "=");

        if ((*environment)[len] == '=' && len < sizeof(variable)) {
            memcpy(variable, *environment, len);
            variable[len] = '\0';
            load_variable(loader, variable, *environment + len + 1);
        }
    }
}

/* True if the user's values of both keys were accepted. */
static bool
are_right(struct loader *loader, const char *one, const char *other)
{
    return !source_of(loader->options, one)->wrong &&
           !source_of(loader->options, other)->wrong;
}

/*
 * An attempt starts only if its time limit and 1 s of the lease are left. If
 * both keys are set, the complaint is about the lease.
 */
static void
check_lease(struct loader *loader)
{
    int64_t timeout_ms = loader->options->callbacks.timeout_ms;
    int64_t lease_s = loader->options->callbacks.lease_s;
    int64_t attempt_s = (timeout_ms + 999) / 1000;
    int64_t least_s = int64_max(attempt_s + 2, 2 * attempt_s);
    char place[PLACE_SIZE];

    if (lease_s >= least_s ||
        !are_right(loader, "callbacks.lease_s", "callbacks.timeout_ms")) {
        return;
    }
    if (options_is_set(loader->options, "callbacks.lease_s")) {
        write_place(place, loader->options, "callbacks.lease_s");
        complain(loader, place,
                 "%" PRId64 " is too short for callbacks.timeout_ms = %" PRId64
                 "; make it at least %" PRId64,
                 lease_s, timeout_ms, least_s);
    } else {
        write_place(place, loader->options, "callbacks.timeout_ms");
        complain(loader, place,
                 "%" PRId64 " is too long for callbacks.lease_s = %" PRId64
                 "; make that at least %" PRId64,
                 timeout_ms, lease_s, least_s);
    }
}

/* WAIT's answer may come 100 ms late if replicas are missing: see redis.c. */
static void
check_waiting(struct loader *loader)
{
    int64_t timeout_ms = loader->options->redis.timeout_ms;
    int64_t replicas = loader->options->redis.wait_replicas;
    char place[PLACE_SIZE];

    if (replicas > 0 && timeout_ms < WAITING_LEAST_MS &&
        are_right(loader, "redis.timeout_ms", "redis.wait_replicas")) {
        write_place(place, loader->options, "redis.timeout_ms");
        complain(loader, place,
                 "%" PRId64 " is too short for redis.wait_replicas = %" PRId64
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
        .options = options, .complain = complain_to, .context = context};

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
    check_lease(&loader);
    check_waiting(&loader);
    return loader.complaints == 0 ? 0 : -1;
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
