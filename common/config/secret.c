/*
 * secret: a file of a secret has the value and at most newlines after it. No
 * message shows a secret.
 */
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "base/util.h"
#include "redis/redis.h"
#include "source.h"
#include "value.h"

enum {
    SECRET_MAX_BYTES = 8192, /* as of a line of the configuration file */
    WHY_SIZE = 2048,         /* a path has at most 1,024 bytes */
};

/* Writes name without the suffix; false if it does not end in the suffix. */
static bool
write_key(char key[OPTION_NAME_SIZE], const char *name)
{
    size_t len = strlen(name);

    if (!ends_with(name, OPTION_FILE_SUFFIX) ||
        len == strlen(OPTION_FILE_SUFFIX)) {
        return false;
    }
    snprintf(key, OPTION_NAME_SIZE, "%.*s",
             (int)(len - strlen(OPTION_FILE_SUFFIX)), name);
    return true;
}

/* Reads the properties of row from at->property on. */
static bool
next_property(const struct options *options, const struct option_row *row,
              struct secret_cursor *at, struct secret *secret)
{
    const struct option_properties *all = option_field(options, row);

    while (at->property < all->count) {
        const struct option_property *property = &all->items[at->property++];

        snprintf(secret->file_key, OPTION_NAME_SIZE, "%s.%.200s", row->section,
                 property->name);
        if (write_key(secret->key, secret->file_key) &&
            property->value != NULL && property->value[0] != '\0') {
            secret->row = row;
            secret->path = property->value;
            return true;
        }
    }
    return false;
}

bool
secret_next(const struct options *options, struct secret_cursor *at,
            struct secret *secret)
{
    for (; at->row < option_row_count; at->row++) {
        const struct option_row *row = &option_rows[at->row];

        if (row->type == OPTION_PROPERTIES) {
            if (next_property(options, row, at, secret)) {
                return true;
            }
        } else if (row->file == OPTION_FILE_SECRET) {
            secret->path = option_text(options, row);
            if (secret->path != NULL && secret->path[0] != '\0') {
                snprintf(secret->file_key, OPTION_NAME_SIZE, "%s.%s",
                         row->section, row->key);
                write_key(secret->key, secret->file_key);
                secret->row = option_find(secret->key);
                at->row++;
                return true;
            }
        }
    }
    return false;
}

/* Returns -1. */
static int
complain_of(const struct options *options, const struct secret *secret,
            const char *why, option_complaint *complain, void *context)
{
    char text[OPTION_NAME_SIZE + 2 + WHY_SIZE];

    snprintf(text, sizeof(text), "%s: %s", secret->file_key, why);
    options_complain(options, text, complain, context);
    return -1;
}

/* Reads fd to its end; -1 (errno) if it has more than SECRET_MAX_BYTES. */
static ssize_t
read_all(int fd, char bytes[SECRET_MAX_BYTES + 1])
{
    size_t used = 0;

    while (used <= SECRET_MAX_BYTES) {
        ssize_t n = read(fd, bytes + used, SECRET_MAX_BYTES + 1 - used);

        if (n == 0) {
            return (ssize_t)used;
        }
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    errno = EFBIG;
    return -1;
}

/* Reads the text in the file at path. Returns NULL, or why it cannot. */
static const char *
read_text(const char *path, char text[SECRET_MAX_BYTES + 1])
{
    const char *why;
    int fd = regular_file_open(path, &why);
    ssize_t len;

    if (fd < 0) {
        return why;
    }
    len = read_all(fd, text);
    why = len < 0 ? strerror(errno) : NULL;
    close(fd);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    if (len >= 0) {
        text[len] = '\0';
    }
    if (why == NULL && len == 0) {
        why = "it is empty";
    }
    if (why == NULL && strlen(text) != (size_t)len) {
        why = "it has a NUL byte";
    }
    return why;
}

/* Makes the property that names the file the property with the value. */
static int
set_property(struct option_property *property, const char *text)
{
    char *value = strdup(text);

    if (value == NULL) {
        return -1;
    }
    free(property->value);
    property->value = value;
    property->name[strlen(property->name) - strlen(OPTION_FILE_SUFFIX)] = '\0';
    property->source.from_file = true;
    return 0;
}

/* Gives the value to the key. Returns 0, or -1 with a sentence in why. */
static int
set_value(struct options *options, const struct secret *secret,
          const char *text, char why[OPTION_WHY_SIZE])
{
    struct option_source *source = source_of(options, secret->file_key);

    if (secret->row->type == OPTION_PROPERTIES) {
        snprintf(why, OPTION_WHY_SIZE, "no memory");
        return set_property(
            option_property(options, secret->row, secret->file_key), text);
    }
    if (option_set(options, secret->row, secret->key, text, why) != 0) {
        return -1;
    }
    source_of(options, secret->key)->line = source->line;
    source_of(options, secret->key)->from_file = true;
    return 0;
}

int
secret_read(struct options *options, const struct secret *secret,
            option_complaint *complain, void *context)
{
    char text[SECRET_MAX_BYTES + 1];
    char why[OPTION_WHY_SIZE];
    char problem[WHY_SIZE];
    const char *reason = read_text(secret->path, text);

    if (reason != NULL) {
        snprintf(problem, sizeof(problem), "\"%.1024s\" cannot be used: %s",
                 secret->path, reason);
        return complain_of(options, secret, problem, complain, context);
    }
    if (set_value(options, secret, text, why) != 0) {
        snprintf(problem, sizeof(problem), "\"%.1024s\": %s", secret->path,
                 why);
        return complain_of(options, secret, problem, complain, context);
    }
    return 0;
}

int
options_read_secret(struct options *options, const char *key,
                    option_complaint *complain, void *context)
{
    struct secret_cursor at = {0};
    struct secret secret;

    while (secret_next(options, &at, &secret)) {
        if (strcmp(secret.key, key) == 0) {
            return secret_read(options, &secret, complain, context);
        }
    }
    return 0;
}

/* True if the key itself is set, too. */
static bool
is_set_twice(const struct options *options, const struct secret *secret)
{
    return secret->row->type == OPTION_PROPERTIES
               ? option_property(options, secret->row, secret->key) != NULL
               : option_text(options, secret->row)[0] != '\0';
}

int
secret_check(const struct options *options, option_complaint *complain,
             void *context)
{
    struct secret_cursor at = {0};
    struct secret secret;
    int result = 0;

    while (secret_next(options, &at, &secret)) {
        char why[WHY_SIZE];

        if (secret.path[0] != '/') {
            snprintf(why, sizeof(why), "\"%.100s\": a path begins with /",
                     secret.path);
            result = complain_of(options, &secret, why, complain, context);
        }
        if (is_set_twice(options, &secret)) {
            snprintf(why, sizeof(why), "%s is set, too; set only one of them",
                     secret.key);
            result = complain_of(options, &secret, why, complain, context);
        }
    }
    return result;
}

/* True if a value of row, of that name, gives something away. */
static bool
is_secret(const struct option_row *row, const char *name, const char *value)
{
    if (!row->secret || value == NULL || value[0] == '\0') {
        return false;
    }
    if (row->type == OPTION_PROPERTIES) {
        char key[OPTION_NAME_SIZE];

        return !write_key(key, name) && (strstr(name, "password") != NULL ||
                                         strstr(name, "secret") != NULL ||
                                         strcmp(name, "ssl.key.pem") == 0);
    }
    return row->problem != redis_url_problem ||
           redis_login_of(value).has_password;
}

static bool
is_in_file(const struct option_source *source)
{
    return source->line > 0 && !source->from_file;
}

/* The first secret property of row that stands in the file. */
static bool
property_in_file(const struct options *options, const struct option_row *row,
                 char key[OPTION_NAME_SIZE])
{
    const struct option_properties *all = option_field(options, row);

    for (size_t i = 0; i < all->count; i++) {
        const struct option_property *property = &all->items[i];

        if (is_in_file(&property->source) &&
            is_secret(row, property->name, property->value)) {
            snprintf(key, OPTION_NAME_SIZE, "%s.%.200s", row->section,
                     property->name);
            return true;
        }
    }
    return false;
}

bool
secret_in_file(const struct options *options, char key[OPTION_NAME_SIZE])
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];

        if (row->type == OPTION_PROPERTIES) {
            if (property_in_file(options, row, key)) {
                return true;
            }
        } else if (row->secret && is_in_file(&options->sources[i]) &&
                   is_secret(row, row->key, option_text(options, row))) {
            snprintf(key, OPTION_NAME_SIZE, "%s.%s", row->section, row->key);
            return true;
        }
    }
    return false;
}
