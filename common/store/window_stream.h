/*
 * The records of closed windows: the stream `windows`, with one entry per
 * window. The id of an entry is its window's start, so that records are in
 * order and each is added once, whichever reporter adds it. If Redis lost the
 * record of a window, a gap is read in its place.
 */
#ifndef WINDOW_STREAM_H
#define WINDOW_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"

struct window_record {
    int64_t start_s;  /* start of the window, epoch seconds */
    int64_t length_s; /* of the window; 0: the record does not say */
    int64_t count;    /* unique ids; meaningless if gap */
    bool late;        /* sealed more than a window after its end */
    bool gap;         /* Redis lost this window's data */
};

/* The last window that is recorded. */
struct window_stream_end {
    int64_t start_s;  /* 0: nothing is recorded */
    int64_t length_s; /* 0: not known */
    int64_t count;    /* -1: a gap */
    int64_t first_s;  /* the first window in the stream; 0: there is none */
};

/* What an append has done. */
struct window_stream_added {
    int64_t last_s; /* the last window recorded, by whichever reporter */
    size_t count;   /* records that this append added: the newest of them */
};

/*
 * Adds records and trims the records of windows that start before keep_s.
 * A window that is recorded already is left as it is. 0, or -1 if Redis is away
 * or refuses.
 */
int window_stream_append(struct redis *redis, const char *prefix,
                         int64_t keep_s, const struct window_record *records,
                         size_t count, struct window_stream_added *added);

/* Reads the end of the stream. 0, or -1 if Redis is away or refuses. */
int window_stream_last(struct redis *redis, const char *prefix,
                       struct window_stream_end *end);

/* The most records that one window_stream_read reads. */
enum { WINDOW_STREAM_MOST = 128 };

/* The stream, and what its reader knows of it. */
struct window_stream_view {
    struct redis *redis;
    const char *prefix;
    int64_t length_s; /* of a window whose record does not say it */
    int64_t kept_s;   /* windows before this are past the retention and no gaps;
                         0: not known, and no window is a gap */
};

/*
 * Reads at most `most` (and WINDOW_STREAM_MOST) records of windows that start
 * after after_s, oldest first. If windows between after_s and a record, or
 * between two records, have no record although none was trimmed, they are read
 * as gaps. If after_s is 0 (a new sink), no window before the first record is
 * a gap. Sets *skipped to the number of windows after after_s and before the
 * first record read: they are past the retention. Returns the number of
 * records, or -1 if Redis is away or refuses.
 */
int window_stream_read(const struct window_stream_view *view, int64_t after_s,
                       struct window_record *records, size_t most,
                       int64_t *skipped);

#endif
