/*
 * Counting: a batch of ids becomes one script run in Redis, which says yes to
 * all of it or does nothing. The responder's side of the windows; how they are
 * closed is in window_closer.h.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

struct counter;

enum counter_answer {
    COUNTER_UNAVAILABLE, /* not confirmed by Redis: the client may try again */
    COUNTER_COUNTED,     /* in the window, for the first time or not */
    COUNTER_QUEUE_FULL,  /* no room for its callback; nothing was counted */
};

struct counter_request {
    int64_t id;
    const char *endpoint; /* borrowed, already checked; NULL: no callback */
    size_t endpoint_len;
    enum counter_answer answer; /* set by counter_commit */
};

/* Where a batch was counted, and how long that is known to be so. */
struct counter_window {
    int64_t start_s;  /* of the window; 0: nothing was counted */
    int64_t born_us;  /* when Redis's data began: with another, it was lost */
    int64_t until_ms; /* monotonic; 0 with start_s */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct counter *counter_open(const struct options *options,
                             struct redis *redis);
void counter_close(struct counter *counter);

/*
 * Counts requests[0..count), at most options->accept.max_batch of them, in the
 * window that is on by Redis's clock, and queues the callbacks of those with
 * an endpoint. Sets every answer, and returns the window of those that were
 * counted. Blocks for at most 2 x redis.timeout_ms.
 *
 * Up to until_ms the ids that were counted need not be asked for again: the
 * window is still on, and Redis was heard of less than redis.timeout_ms ago.
 */
struct counter_window counter_commit(struct counter *counter,
                                     struct counter_request *requests,
                                     size_t count);

/*
 * True where a batch would be counted now: Redis is there, agrees on what all
 * programs must share, takes writes, and has redis.wait_replicas replicas.
 * Blocks for at most 2 x redis.timeout_ms.
 */
bool counter_is_ready(struct counter *counter);

/*
 * True where Redis was there and refused the last batch or would refuse the
 * next, or had too few replicas: see redis_error.
 */
bool counter_was_refused(const struct counter *counter);

#endif
