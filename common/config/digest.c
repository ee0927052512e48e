/*
 * digest: hashes one line "<key>=<value>" for each setting, in the order of the
 * table.
 */
#include "digest.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "table.h"
#include "value.h"

/* The beginnings of keys that may differ between hosts. */
static const char *const local[] = {
    "redis.url", "callbacks.workers", "report.", "sink.", "log.",
    "stats.",    "metrics.",          "otlp.",
};

static bool
is_shared(const struct option_row *row, const char *name)
{
    if (row->secret || row->file != OPTION_NO_FILE) {
        return false;
    }
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (starts_with(name, local[i])) {
            return false;
        }
    }
    return true;
}

/* The lines that are hashed, malloc'd; NULL: no memory. */
static char *
write_lines(const struct options *options, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char name[OPTION_NAME_SIZE];

        snprintf(name, sizeof(name), "%s.%s", row->section, row->key);
        if (is_shared(row, name)) {
            fprintf(out, "%s=", name);
            option_print(out, options, row, name);
            fputc('\n', out);
        }
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int
config_digest(const struct options *options, char digest[CONFIG_DIGEST_SIZE])
{
    size_t len;
    char *text = write_lines(options, &len);

    if (text == NULL) {
        return -1;
    }
    snprintf(digest, CONFIG_DIGEST_SIZE, "%08" PRIx32,
             (uint32_t)fnv1a(0, text));
    free(text);
    return 0;
}
