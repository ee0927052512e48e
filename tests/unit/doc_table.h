/*
 * Reads tables out of the Markdown files in docs/, for tests that compare them
 * with tables in C. Header only, as each test is one program. Tests run in the
 * top folder of the repository.
 */
#ifndef DOC_TABLE_H
#define DOC_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DOC_TABLE_CELLS = 8 };

struct doc_row {
    char *cells[DOC_TABLE_CELLS]; /* without blanks around them, into line */
    size_t count;
    char line[1024];
};

/* Splits row->line at '|'. False if the line is not a row of a table. */
static inline bool
doc_row_split(struct doc_row *row)
{
    char *cell = row->line;

    row->count = 0;
    if (*cell != '|') {
        return false;
    }
    while (row->count < DOC_TABLE_CELLS) {
        char *start = cell + 1 + strspn(cell + 1, " ");
        char *end = strchr(start, '|');

        if (end == NULL) {
            break;
        }
        cell = end;
        while (end > start && end[-1] == ' ') {
            end--;
        }
        *end = '\0';
        row->cells[row->count++] = start;
    }
    return row->count > 0;
}

/* Takes the backticks off a cell; false if the cell is not `code`. */
static inline bool
doc_cell_is_code(char *cell)
{
    size_t len = strlen(cell);

    if (len < 3 || cell[0] != '`' || cell[len - 1] != '`' ||
        memchr(cell + 1, '`', len - 2) != NULL) {
        return false;
    }
    cell[len - 1] = '\0';
    memmove(cell, cell + 1, len - 1);
    return true;
}

/* Reads on to the next row whose first cell is `code`; false at the end. */
static inline bool
doc_next_row(FILE *file, struct doc_row *row)
{
    while (fgets(row->line, sizeof(row->line), file) != NULL) {
        if (doc_row_split(row) && doc_cell_is_code(row->cells[0])) {
            return true;
        }
    }
    return false;
}

#endif
