/*
 * How this reporter's callbacks stand: what became of them since it started,
 * and where they wait. Published in Redis every few seconds, under a key that
 * expires soon after its reporter ends, so that an operator sees all reporters
 * from anywhere; `reporters` has their names.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "config/options.h"
#include "dispatcher.h"
#include "redis/redis.h"
#include "retry_policy.h"
#include "store/job_queue.h"

enum {
    STATS_EVERY_MS = 2000,
    STATS_TTL_MS = 10000,
    STATS_DESTINATIONS_MAX = 200, /* shown; those with jobs first */
};

/* Since the start. */
struct stats_counts {
    int64_t delivered;
    int64_t retried;  /* attempts that failed, to be made again */
    int64_t dead;     /* jobs given up */
    int64_t returned; /* jobs given back, no attempt used */
    int64_t stale;    /* settled after the lease was another's */
    int64_t dropped;  /* oldest dead jobs, over callbacks.max_dead */
    int64_t unreadable;
};

struct stats;

/* options and delivery are borrowed for its life. NULL: no memory. */
struct stats *stats_open(const struct options *options,
                         const struct dispatcher *dispatcher);
void stats_close(struct stats *stats);

/* Counts a job's end; and what the queue said of it. */
void stats_count(struct stats *stats, const struct retry_policy *outcome);
void stats_count_flushed(struct stats *stats,
                         const struct job_queue_flushed *flushed);
void stats_count_unreadable(struct stats *stats, size_t count);

/*
 * Publishes it when it is time, and logs at most once a minute what was lost.
 * Whether Redis is away is no matter here.
 */
void stats_step(struct stats *stats, struct redis *redis);

#endif
