/*
 * The Retry-After header, by which a receiver says when it wants to be called
 * again (RFC 9110, 10.2.3). Pure text.
 */
#ifndef RETRY_AFTER_H
#define RETRY_AFTER_H

#include <stdint.h>

/* What a receiver asks for beyond this is cut to it. */
enum { RETRY_AFTER_MAX_MS = 3600 * 1000 };

/*
 * Reads the value of a Retry-After header: seconds, or an HTTP-date (RFC 9110,
 * 5.6.7) to be compared with now_s, the wall clock. Returns the milliseconds
 * to wait, 0 for a date that has passed, or -1 where it is neither.
 */
int64_t retry_after_ms(const char *value, int64_t now_s);

#endif
