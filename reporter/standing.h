/*
 * How this reporter's callbacks stand: what became of them since it started,
 * and where they wait, published every few seconds (see reporters.h).
 */
#ifndef STANDING_H
#define STANDING_H

#include <stdint.h>

#include "delivery.h"
#include "jobs.h"
#include "option.h"
#include "outcome.h"
#include "redis.h"

enum {
    STANDING_EVERY_MS = 2000,
    STANDING_TTL_MS = 10000,
    STANDING_DESTINATIONS_MAX = 200, /* shown; those with jobs first */
};

/* Since the start. */
struct standing_counts {
    int64_t delivered;
    int64_t retried;  /* attempts that failed, to be made again */
    int64_t dead;     /* jobs given up */
    int64_t returned; /* jobs given back, no attempt used */
    int64_t stale;    /* settled after the lease was another's */
    int64_t dropped;  /* oldest dead jobs, over callbacks.max_dead */
    int64_t unreadable;
};

struct standing;

/* options and delivery are borrowed for its life. NULL: no memory. */
struct standing *standing_open(const struct options *options,
                               const struct delivery *delivery);
void standing_close(struct standing *standing);

/* Counts a job's end; and what the queue said of it. */
void standing_count(struct standing *standing, const struct outcome *outcome);
void standing_count_flushed(struct standing *standing,
                            const struct jobs_flushed *flushed);
void standing_count_unreadable(struct standing *standing, size_t count);

/*
 * Publishes it when it is time, and logs at most once a minute what was lost.
 * Whether Redis is away is no matter here.
 */
void standing_step(struct standing *standing, struct redis *redis);

#endif
