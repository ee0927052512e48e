/*
 * Counting: a batch of ids becomes one script run in Redis, which says yes to
 * all of it or does nothing. The responder's side of the windows; how they are
 * closed is in windows.h.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "option.h"
#include "redis.h"

struct tally;

enum tally_answer {
    TALLY_UNAVAILABLE, /* not confirmed by Redis: the client may try again */
    TALLY_COUNTED,     /* in the window, for the first time or not */
    TALLY_QUEUE_FULL,  /* no room for its callback; nothing was counted */
};

struct tally_request {
    int64_t id;
    const char *endpoint; /* borrowed, already checked; NULL: no callback */
    size_t endpoint_len;
    enum tally_answer answer; /* set by tally_commit */
};

/* Where a batch was counted, and how long that is known to be so. */
struct tally_window {
    int64_t start_s;  /* of the window; 0: nothing was counted */
    int64_t born_us;  /* when Redis's data began: with another, it was lost */
    int64_t until_ms; /* monotonic; 0 with start_s */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct tally *tally_open(const struct options *options, struct redis *redis);
void tally_close(struct tally *tally);

/*
 * Counts requests[0..count), at most options->accept.max_batch of them, in the
 * window that is on by Redis's clock, and queues the callbacks of those with
 * an endpoint. Sets every answer, and returns the window of those that were
 * counted. Blocks for at most 2 x redis.timeout_ms.
 *
 * Up to until_ms the ids that were counted need not be asked for again: the
 * window is still on, and Redis was heard of less than redis.timeout_ms ago.
 */
struct tally_window tally_commit(struct tally *tally,
                                 struct tally_request *requests, size_t count);

/*
 * True where a batch would be counted now: Redis is there, agrees on what all
 * programs must share, takes writes, and has redis.wait_replicas replicas.
 * Blocks for at most 2 x redis.timeout_ms.
 */
bool tally_is_ready(struct tally *tally);

/*
 * True where Redis was there and refused the last batch or would refuse the
 * next, or had too few replicas: see redis_error.
 */
bool tally_was_refused(const struct tally *tally);

#endif
