/*
 * histogram: a value is shifted right until it has 8 bits. The shift and the 7
 * bits below the leading bit are the number of its bucket.
 */
#include "histogram.h"

#include <stddef.h>

static size_t
bucket_of(int64_t value)
{
    unsigned shift;
    size_t bucket;

    if (value < 256) {
        return value < 0 ? 0 : value;
    }
    shift = 56 - __builtin_clzll((uint64_t)value);
    bucket = 256 + (size_t)(shift - 1) * 128 + ((uint64_t)value >> shift) - 128;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into bucket. */
static int64_t
bucket_top(size_t bucket)
{
    unsigned shift;

    if (bucket < 256) {
        return bucket;
    }
    shift = (unsigned)((bucket - 256) / 128 + 1);
    return (int64_t)((((bucket - 256) % 128 + 129) << shift) - 1);
}

void
histogram_add(struct histogram *histogram, int64_t value)
{
    histogram->total++;
    histogram->buckets[bucket_of(value)]++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

int64_t
histogram_at(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;
    size_t i;

    for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            break;
        }
    }
    if (i == HISTOGRAM_BUCKETS || bucket_top(i) > histogram->max) {
        return histogram->max;
    }
    return bucket_top(i);
}
