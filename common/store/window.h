/*
 * Arithmetic of tumbling windows. Windows are aligned to the Unix epoch and
 * named by the second at which they start.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdint.h>

/* The start (epoch seconds) of the window of length_s that holds time_s. */
int64_t window_start(int64_t time_s, int64_t length_s);

/* The start of the first window of length_s that begins at time_s or later. */
int64_t window_next(int64_t time_s, int64_t length_s);

#endif
