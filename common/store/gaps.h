/*
 * The records as a sink gets them: with a gap for each window whose record
 * Redis has lost.
 */
#ifndef GAPS_H
#define GAPS_H

#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"
#include "window_stream.h"

/* The most records that are read at once. */
enum { WINDOW_STREAM_MOST = 128 };

/* Where the records are, and what is known of them. */
struct window_stream_view {
    struct redis *redis;
    const char *prefix;
    int64_t length_s; /* of a window whose record does not say */
    int64_t kept_s;   /* a window before that is no gap: past the retention;
                         0: not known, and nothing is one */
};

/*
 * Reads at most most (and WINDOW_STREAM_MOST) records that start after after_s,
 * oldest first. Where windows between after_s and a record, or between two
 * records, have none, and none was taken out, they are read as gaps. Sets
 * *skipped to how many windows after after_s come before what was read, as they
 * are past the retention. Returns how many were read, or -1 where Redis is away
 * or refused.
 */
int window_stream_read_gaps(const struct window_stream_view *between,
                            int64_t after_s, struct window_record *records,
                            size_t most, int64_t *skipped);

#endif
