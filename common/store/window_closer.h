/*
 * The reporter's side of the windows: closing them by Redis's clock, recording
 * what they counted, and reading the records. A closed window is *sealed*
 * first: from then on no id can enter it (accept-setnx.lua looks), so that the
 * count that was read is final. Records are a stream, one entry a window, its
 * id the window's start: in order and idempotent, whoever writes them.
 */
#ifndef WINDOW_CLOSER_H
#define WINDOW_CLOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"
#include "window_stream.h"

struct window_closer;

/* The most windows that one window_closer_seal closes. */
enum { WINDOW_CLOSER_MOST = 128 };

/* options and redis are borrowed for its life. NULL: no memory. */
struct window_closer *window_closer_open(const struct options *options,
                                         struct redis *redis);
void window_closer_close(struct window_closer *closer);

/*
 * Says what is known of the records outside Redis: the last window written by
 * the sink that is furthest behind and by the one that is furthest ahead; 0
 * where nothing is known. Where the stream ends before, Redis lost data. A
 * memory from window_closer_implausible_from_s on is dropped.
 */
void window_closer_remember(struct window_closer *closer, int64_t oldest_s,
                            int64_t newest_s);

/*
 * No window from this one on can have been written, by what window_closer_seal
 * saw last; 0: it saw nothing yet. That is ten minutes, or windows, from now: a
 * Redis that took over from another one may be behind that, in clock and data,
 * and what the other one confirmed is written all the same.
 */
int64_t window_closer_implausible_from_s(const struct window_closer *closer);

struct window_closer_sealed {
    size_t records;  /* made now, gaps among them */
    size_t gaps;     /* those of windows whose data Redis lost */
    int64_t skipped; /* windows before them that are past the retention */
    bool ahead;      /* what is recorded, or was, is ahead of the time */
};

/*
 * Seals and records the windows that have ended, oldest first, at most most of
 * them (and WINDOW_CLOSER_MOST). Returns the milliseconds until the window that
 * is on ends by Redis's clock, 0 where more wait to be closed, or -1 where
 * Redis is away or refused (redis_error). *sealed is set in any case.
 */
int64_t window_closer_seal(struct window_closer *closer, size_t most,
                           struct window_closer_sealed *sealed);

/*
 * Reads at most most records that start after after_s, oldest first, into
 * records. Where windows between after_s and a record, or between two records,
 * have none though they are not past the retention, Redis lost them: they are
 * read as gaps. Sets *skipped to how many windows after after_s are, before
 * what was read. Returns how many were read, or -1 where Redis is away or
 * refused.
 */
int window_closer_read(struct window_closer *closer, int64_t after_s,
                       struct window_record *records, size_t most,
                       int64_t *skipped);

#endif
