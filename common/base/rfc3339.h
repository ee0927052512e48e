/*
 * Times as text in the form of RFC 3339, in UTC, with a capital T and Z. All
 * programs show times in this form.
 */
#ifndef RFC3339_H
#define RFC3339_H

#include <stddef.h>
#include <stdint.h>

/* Size of a buffer for the longest text, with its NUL. */
enum { RFC3339_SIZE = 32 };

/* Writes epoch seconds: 2026-01-02T03:04:00Z. */
void rfc3339_format(char text[RFC3339_SIZE], int64_t time_s);

/* Writes epoch milliseconds: 2026-01-02T03:04:00.123Z. */
void rfc3339_format_ms(char text[RFC3339_SIZE], int64_t time_ms);

/*
 * Parses text[0..len) in the form that rfc3339_format writes. Returns 0 and the
 * epoch second, or -1 if the text has another form.
 */
int rfc3339_parse(const char *text, size_t len, int64_t *time_s);

#endif
