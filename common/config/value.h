/*
 * The values of options: from text into struct options and back, as their rows
 * say. Only for the files of config.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stdio.h>

#include "options.h"
#include "table.h"

enum { OPTION_WHY_SIZE = 512 };

/*
 * Parses text into the field of row. name is the key ("kafka.linger.ms"); only
 * OPTION_PROPERTIES needs it. Returns 0, or -1 with the field unchanged and a
 * sentence in why.
 */
int option_set(struct options *options, const struct option_row *row,
               const char *name, const char *text, char why[OPTION_WHY_SIZE]);

/* The field of row, of the C type that option_type has for it. */
void *option_field(const struct options *options, const struct option_row *row);

/* Frees the field of row and empties it. */
void option_clear(struct options *options, const struct option_row *row);

/* Writes the value of row, or of the property name, as the file would say it */
void option_print(FILE *out, const struct options *options,
                  const struct option_row *row, const char *name);

/* The value of an OPTION_TEXT row, borrowed. */
const char *option_text(const struct options *options,
                        const struct option_row *row);

/* Writes the permitted values of row: "a whole number from 1 to 9". */
void option_expected(const struct option_row *row, char *text, size_t size);

/* The property name ("kafka.linger.ms") of an OPTION_PROPERTIES row, or NULL */
struct option_property *option_property(const struct options *options,
                                        const struct option_row *row,
                                        const char *name);

#endif
