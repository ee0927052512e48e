/*
 * For the tests of options: loads options from a file in a temporary directory
 * and collects the complaints. A header only, because each test is one program.
 */
#ifndef OPTIONS_LOADED_H
#define OPTIONS_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/options.h"

enum { COMPLAINTS_SIZE = 16384 };

/* The settings after one load, and the complaints, a line each. */
struct loaded {
    struct options options;
    int result;
    char complaints[COMPLAINTS_SIZE];
};

static char *const no_environment[] = {NULL};

static char directory[] = "/tmp/verve-option-XXXXXX";
static char path[64]; /* of the file in the directory */

static inline void
collect(void *context, const char *text)
{
    char *complaints = context;
    size_t used = strlen(complaints);

    snprintf(complaints + used, COMPLAINTS_SIZE - used, "%s\n", text);
}

static inline void
load(struct loaded *loaded, const char *file, char *const *environment)
{
    loaded->complaints[0] = '\0';
    loaded->result = options_load(&loaded->options, file, environment, collect,
                                  loaded->complaints);
    assert_int_equal(loaded->result == 0, loaded->complaints[0] == '\0');
}

static inline void
write_bytes(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void
load_text(struct loaded *loaded, const char *text)
{
    write_bytes(text, strlen(text));
    load(loaded, path, no_environment);
}

/* Fails if the complaints are not as expected; path precedes each ':'. */
static inline void
assert_complaints(struct loaded *loaded, const char *expected)
{
    char full[COMPLAINTS_SIZE] = "";

    for (const char *line = expected; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        size_t used = strlen(full);

        snprintf(full + used, sizeof(full) - used, "%s%.*s\n",
                 line[0] == ':' ? path : "", (int)len, line);
        line += len + 1;
    }
    assert_string_equal(loaded->complaints, full);
    assert_int_equal(loaded->result, -1);
    options_fini(&loaded->options);
}

static inline int
make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/verve.conf", directory);
    return 0;
}

static inline int
remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#endif
