/*
 * The records of closed windows: the stream <prefix>:windows, one entry a
 * window, its id the window's start: in order and idempotent, whoever writes.
 */
#ifndef WINDOW_STREAM_H
#define WINDOW_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"

struct window_record {
    int64_t start_s;  /* of the window, epoch seconds */
    int64_t length_s; /* of the window; 0: the record does not say */
    int64_t count;    /* unique ids; nothing where gap */
    bool late;        /* sealed more than a window after its end */
    bool gap;         /* Redis lost this window's data */
};

/* The last window recorded. */
struct window_stream_end {
    int64_t start_s;  /* 0: there is none */
    int64_t length_s; /* 0: not known */
};

/*
 * Adds records, and trims those of windows that start before keep_s. Sets *end,
 * whoever recorded that. 0, or -1 where Redis is away or refused.
 */
int window_stream_add(struct redis *redis, const char *prefix, int64_t keep_s,
                      const struct window_record *records, size_t count,
                      struct window_stream_end *end);

/* As window_stream_add, of none: *end alone. */
int window_stream_last(struct redis *redis, const char *prefix,
                       struct window_stream_end *end);

/* What comes before the records that are read. */
struct window_stream_before {
    int64_t trimmed_s; /* the last window whose record was taken out, as its
                          time was over or by a hand; 0: none was */
    int64_t length_s;  /* of the window after which is read; 0: not known */
};

/*
 * Reads at most most records that start after after_s, oldest first, into
 * records, and sets *before. Returns how many, or -1 where Redis is away or
 * refused.
 */
int window_stream_read(struct redis *redis, const char *prefix, int64_t after_s,
                       struct window_record *records, size_t most,
                       struct window_stream_before *before);

#endif
