/*
 * A histogram of durations whose buckets grow with the value, like
 * HdrHistogram: exact up to 255, and above to better than 1 %. Its size is
 * fixed, so that a long run costs no more than a short one.
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

/* The quantile `share`, from 0 to 1 (0.5: the median); 0 if it is empty. */
int64_t histogram_at(const struct histogram *histogram, double share);

#endif
