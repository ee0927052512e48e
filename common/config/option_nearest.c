/*
 * option_nearest: what a misspelt key or section may have meant. Near is a
 * third of its length in edits, or one name that the other begins with.
 */
#include <string.h>

#include "table.h"

enum { FAR = OPTION_NAME_SIZE };

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Edits that make b of a: a byte inserted, deleted, replaced, or two exchanged
 * (the optimal string alignment of Damerau, CACM 7, 1964); FAR for names of no
 * possible length.
 */
static size_t
distance(const char *a, const char *b)
{
    size_t edits[FAR][FAR]; /* of the first i bytes of a and j of b */
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len >= FAR || b_len >= FAR) {
        return FAR;
    }
    for (size_t i = 0; i <= a_len; i++) {
        edits[i][0] = i;
    }
    for (size_t j = 1; j <= b_len; j++) {
        edits[0][j] = j;
        for (size_t i = 1; i <= a_len; i++) {
            size_t one = least(edits[i - 1][j], edits[i][j - 1]) + 1;
            size_t replaced = edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            edits[i][j] = least(one, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                edits[i][j] = least(edits[i][j], edits[i - 2][j - 2] + 1);
            }
        }
    }
    return edits[a_len][b_len];
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
