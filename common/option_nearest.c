/*
 * option_nearest: what a misspelt key or section may have meant. Near is a
 * third of its length in edits, or one name that the other begins with.
 */
#include <string.h>

#include "option_table.h"

enum { FAR = OPTION_NAME_SIZE };

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Edits (insert, delete, replace) that make b of a, by rows of Wagner and
 * Fischer's matrix (J. ACM 21, 1974); FAR for names of no possible length.
 */
static size_t
distance(const char *a, const char *b)
{
    size_t row[OPTION_NAME_SIZE];
    size_t b_len = strlen(b);

    if (strlen(a) >= FAR || b_len >= FAR) {
        return FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

/* The distance of two names that are near each other, else FAR. */
static size_t
nearness(const char *unknown, const char *known)
{
    size_t len = strlen(unknown);
    size_t edits = distance(unknown, known);

    if (edits <= (len + 1) / 3) {
        return edits;
    }
    if (len >= 3 && (strncmp(unknown, known, len) == 0 ||
                     strncmp(unknown, known, strlen(known)) == 0)) {
        return least(edits, FAR - 1);
    }
    return FAR;
}

const struct option_row *
option_nearest(const char *section, const char *key)
{
    const struct option_row *best = NULL;
    size_t best_edits = FAR;

    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        size_t edits = nearness(key, row->key);

        if (row->type == OPTION_PROPERTIES) {
            continue;
        }
        if (strcmp(row->section, section) != 0) {
            /* Elsewhere only the very name, and rather a slip than that. */
            edits = edits == 0 ? 1 : FAR;
        }
        if (edits < best_edits) {
            best = row;
            best_edits = edits;
        }
    }
    return best;
}

const char *
option_nearest_section(const char *section)
{
    const char *best = NULL;
    size_t best_edits = FAR;

    for (size_t i = 0; i < option_row_count; i++) {
        size_t edits = nearness(section, option_rows[i].section);

        if (edits < best_edits) {
            best = option_rows[i].section;
            best_edits = edits;
        }
    }
    return best;
}
