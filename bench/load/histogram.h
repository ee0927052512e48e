/*
 * Counts durations in buckets that grow with the value, after HdrHistogram:
 * exact up to 255, from there on to better than one part in a hundred. Fixed
 * size, so that a long run costs no more than a short one.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 256 + 40 * 128 };

/* A zeroed struct is empty. */
struct histogram {
    uint64_t total;
    int64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Negative values count as 0. */
void histogram_add(struct histogram *histogram, int64_t value);

/* The value that `share` (0 to 1) of all are at or below; 0 where empty. */
int64_t histogram_at(const struct histogram *histogram, double share);

#endif
