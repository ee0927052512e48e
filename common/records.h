/*
 * The records of closed windows: the stream <prefix>:windows, one entry a
 * window, its id the window's start: in order and idempotent, whoever writes.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis.h"

struct window_record {
    int64_t start_s;  /* of the window, epoch seconds */
    int64_t length_s; /* of the window; 0: the record does not say */
    int64_t count;    /* unique ids; nothing where gap */
    bool late;        /* sealed more than a window after its end */
    bool gap;         /* Redis lost this window's data */
};

/*
 * Adds records, and trims those of windows that start before keep_s. Sets
 * *last_s to the last window recorded, whoever did it; 0: none. 0, or -1 where
 * Redis is away or refused.
 */
int records_add(struct redis *redis, const char *prefix, int64_t keep_s,
                const struct window_record *records, size_t count,
                int64_t *last_s);

/* As records_add, of none: *last_s alone. */
int records_last(struct redis *redis, const char *prefix, int64_t *last_s);

/*
 * Reads at most most records that start after after_s, oldest first, into
 * records. Returns how many, or -1 where Redis is away or refused.
 */
int records_read(struct redis *redis, const char *prefix, int64_t after_s,
                 struct window_record *records, size_t most);

#endif
