/*
 * The records as a sink gets them: with a gap for each window whose record
 * Redis has lost.
 */
#ifndef GAPS_H
#define GAPS_H

#include <stddef.h>
#include <stdint.h>

#include "records.h"
#include "redis.h"

/* The most records that are read at once. */
enum { GAPS_MOST = 128 };

/* Where the records are, and what is known of them. */
struct gaps_between {
    struct redis *redis;
    const char *prefix;
    int64_t length_s; /* of a window whose record does not say */
    int64_t kept_s;   /* a window before that is no gap: past the retention;
                         0: not known, and nothing is one */
};

/*
 * Reads at most most (and GAPS_MOST) records that start after after_s, oldest
 * first. Where windows between after_s and a record, or between two records,
 * have none, and none was taken out, they are read as gaps. Sets *skipped to
 * how many windows after after_s come before what was read, as they are past
 * the retention. Returns how many were read, or -1 where Redis is away or
 * refused.
 */
int gaps_read(const struct gaps_between *between, int64_t after_s,
              struct window_record *records, size_t most, int64_t *skipped);

#endif
