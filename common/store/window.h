/*
 * Arithmetic of tumbling windows: aligned to the Unix epoch, named by the
 * second they start at. Also the RFC 3339 text of times, as windows are shown
 * with it everywhere.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stddef.h>
#include <stdint.h>

/* Size of a buffer for the longest text made here, with its NUL. */
enum { RFC3339_SIZE = 32 };

/* The start (epoch seconds) of the window of length_s that holds time_s. */
int64_t window_start(int64_t time_s, int64_t length_s);

/* The start of the first window of length_s that begins at time_s or later. */
int64_t window_next(int64_t time_s, int64_t length_s);

/* Writes epoch seconds as RFC 3339 in UTC: 2026-01-02T03:04:00Z. */
void rfc3339_format(char text[RFC3339_SIZE], int64_t start_s);

/* Writes epoch milliseconds as RFC 3339 in UTC: 2026-01-02T03:04:00.123Z. */
void rfc3339_format_ms(char text[RFC3339_SIZE], int64_t time_ms);

/*
 * Reads what rfc3339_format writes. Returns 0 and the epoch second, or -1
 * where text[0..len) is anything else.
 */
int rfc3339_parse(const char *text, size_t len, int64_t *start_s);

#endif
