/*
 * The reporter's side of the windows: closes them by Redis's clock, records
 * their counts, and reads the records. A window that has ended is *sealed*
 * before its count is read: from then on the accept script (accept.lua) lets
 * no id into it, so that the count is final. Any number of reporters may close
 * windows at the same time: each window is recorded once.
 *
 * If there are several shards, the clock of shard 0 decides. It is sealed
 * first, and then the others at the same time. A window is recorded once every
 * shard has told its count, with their sum; it is a gap if one of them has lost
 * it. While a shard is away no window is recorded: the windows will be late.
 */
#ifndef WINDOW_CLOSER_H
#define WINDOW_CLOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"
#include "window_memory.h"
#include "window_stream.h"

struct window_closer;

/* The most windows that one window_closer_seal closes. */
enum { WINDOW_CLOSER_MOST = 128 };

/*
 * How long all that remember more than Redis does may take to write it there: a
 * second until they look and, with the default of redis.timeout_ms, another one
 * if their connection hangs and has to be made again.
 */
enum { WINDOW_CLOSER_BARRIER_MS = 2000 };

/* A shard: its view of the options (shard.h), and its connection. */
struct window_closer_shard {
    const struct options *options;
    struct redis *redis;
};

/* All is borrowed for the closer's life but the array of shards. */
struct window_closer_settings {
    const struct window_closer_shard *shards; /* by their numbers */
    size_t count;                             /* of shards */
    struct redis *records; /* the connection for the key `windows` */
    int64_t barrier_ms;
};

/*
 * For barrier_ms after a connect, and after Redis's data was reset, windows are
 * sealed but not recorded: all responders and reporters that remember more than
 * Redis does have written it there by then (marks.h). NULL: no memory.
 */
struct window_closer *
window_closer_open(const struct window_closer_settings *settings);
void window_closer_close(struct window_closer *closer);

/*
 * Tells it what the sinks have. If the stream ends before such a window, Redis
 * lost data. A window from window_closer_implausible_from_s on is not believed.
 */
void window_closer_remember(struct window_closer *closer,
                            const struct window_sinks *sinks);

/*
 * The first window that can't have been written yet, as of the last
 * window_closer_seal; 0 if there was none. That is ten minutes or ten windows
 * from now, whichever is more: a Redis that took over from another may be
 * behind it, and windows that the other confirmed have been written.
 */
int64_t window_closer_implausible_from_s(const struct window_closer *closer);

struct window_closer_sealed {
    size_t records;     /* windows recorded, by whichever reporter, with gaps */
    size_t own;         /* windows that this reporter has recorded itself */
    size_t own_lates;   /* of them, late and no gaps */
    size_t gaps;        /* of them, gaps */
    int64_t last_gap_s; /* the last of them */
    int64_t skipped;    /* windows before them that are past the retention */
    bool ahead;         /* a window is recorded that has not ended yet */
    int64_t late; /* windows that were found to be lost after they had been
                     recorded, with a count that is too low */
    struct window_stream_end last; /* the last window that is recorded */
    int64_t delay_ms; /* from the end of the last window to its record, if this
                         reporter has recorded it itself, now */
};

/*
 * Seals and records the windows that have ended, oldest first, at most `most`
 * of them (and WINDOW_CLOSER_MOST). Returns the milliseconds until the window
 * that is on ends by Redis's clock; 0 if more windows wait to be closed; -1 if
 * Redis is away or refuses (window_closer_failed). Sets *sealed in any case.
 */
int64_t window_closer_seal(struct window_closer *closer, size_t most,
                           struct window_closer_sealed *sealed);

/*
 * The connection on which the last window_closer_seal failed: see redis_error.
 * NULL: it did not fail.
 */
const struct redis *window_closer_failed(const struct window_closer *closer);

/* The clock of a shard's Redis less the wall clock of this host, as of the last
   look. */
int64_t window_closer_skew_us(const struct window_closer *closer, size_t shard);

/*
 * Reads records as window_stream_read does, by the retention that
 * window_closer_seal has computed.
 */
int window_closer_read(struct window_closer *closer, int64_t after_s,
                       struct window_record *records, size_t most,
                       int64_t *skipped);

#endif
