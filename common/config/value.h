/*
 * The values of options: from text into struct options, by their rows. For the
 * option_*.c files alone.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stddef.h>

#include "options.h"
#include "table.h"

enum { OPTION_WHY_SIZE = 512 };

/* The field of row. */
void *option_field(struct options *options, const struct option_row *row);

/*
 * Puts text into its row's field. Returns 0, or -1 with the field unchanged
 * and a sentence in why.
 */
int option_set(struct options *options, const struct option_row *row,
               const char *text, char why[OPTION_WHY_SIZE]);

/* Frees the field of row and empties it. */
void option_clear(struct options *options, const struct option_row *row);

/* Writes what a value of that row has to be: "a whole number from 1 to 9". */
void option_expected(const struct option_row *row, char *text, size_t size);

#endif
