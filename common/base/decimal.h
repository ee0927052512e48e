/*
 * Conversion of text to a number, and back. It is strict: either the whole text
 * is the number, or the text is refused.
 */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses text[0..len), a decimal signed 64-bit integer: an optional sign, then
 * one or more digits; leading zeros are allowed. So "+7" and "007" are 7.
 * Returns false, and does not change *value, if the text has another form or
 * the number does not fit.
 */
bool decimal_parse(const char *text, size_t len, int64_t *value);

/* The number that the environment variable name is; fallback if it is none. */
int64_t decimal_getenv(const char *name, int64_t fallback);

/* Size of the longest number: "-9223372036854775808". */
enum { DECIMAL_TEXT_SIZE = 20 };

/* Writes value in decimal, without a NUL. Returns the length. */
size_t decimal_format(char text[DECIMAL_TEXT_SIZE], int64_t value);

#endif
