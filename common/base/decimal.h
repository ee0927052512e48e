/*
 * Strict text to number, and back. Nothing is skipped, nothing is assumed: the
 * whole text is the number, or there is none.
 */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads text[0..len) as a decimal signed 64-bit integer: an optional sign,
 * then one or more digits, leading zeros allowed. Returns false, and leaves
 * *value alone, for anything else and for what does not fit.
 */
bool decimal_parse(const char *text, size_t len, int64_t *value);

/* Room for any number's text. */
enum { DECIMAL_TEXT_SIZE = 20 };

/* Writes value in decimal, without a NUL. Returns its length. */
size_t decimal_format(char text[DECIMAL_TEXT_SIZE], int64_t value);

#endif
