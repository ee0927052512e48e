/*
 * The statistics of this reporter's callbacks: counters since it started, and
 * the state of each destination. Counted for the metrics, too, and published in
 * Redis every few seconds, under a key that expires soon after its reporter
 * ends, so that an operator sees all reporters from anywhere; `reporters` has
 * their names.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "config/options.h"
#include "fair_queue.h"
#include "metrics/metrics.h"
#include "redis/redis.h"
#include "retry_policy.h"
#include "store/job.h"
#include "store/job_queue.h"

enum {
    STATS_EVERY_MS = 2000,
    STATS_TTL_MS = 10000,
    STATS_DESTINATIONS_MAX = 200, /* published; those with jobs first */
    STATS_WORST = 10,             /* of stats_summary */
};

/* Since the start. */
struct stats_counts {
    int64_t delivered;
    int64_t retried;    /* failed attempts, to be retried */
    int64_t dead;       /* jobs given up */
    int64_t returned;   /* jobs returned to Redis without an attempt used */
    int64_t stale;      /* jobs settled after their lease had run out */
    int64_t dropped;    /* oldest dead jobs, over callbacks.max_dead */
    int64_t unreadable; /* jobs that could not be parsed */
    int64_t blocked;    /* jobs dropped because their host is blocked */
};

struct stats;
struct json_t;

/* All are borrowed. NULL: no memory. */
struct stats *stats_open(const struct options *options,
                         const struct fair_queue *queue,
                         struct metrics *metrics);
void stats_close(struct stats *stats);

/* An attempt has ended. If the job is returned, it was none. */
void stats_count_attempt(struct stats *stats,
                         const struct retry_verdict *verdict);

/* Count a job that ended, jobs that were settled in Redis, and unreadable
   jobs. */
void stats_count(struct stats *stats, const struct job *job,
                 enum job_disposition disposition);
void stats_count_flushed(struct stats *stats,
                         const struct job_queue_flushed *flushed);
void stats_count_unreadable(struct stats *stats, size_t count);

/*
 * Publishes the statistics every STATS_EVERY_MS, if Redis is up, tells the
 * metrics what is under way, and logs lost jobs at most once a minute. Blocks
 * for at most 2 x redis.timeout_ms.
 */
void stats_step(struct stats *stats, struct redis *redis);

/*
 * Adds "counts", and as "destinations" the STATS_WORST with the most trouble,
 * to a JSON object (jansson): those whose breaker is not closed or whose last
 * attempt failed, then those with the most jobs.
 */
void stats_summary(const struct stats *stats, struct json_t *object);

#endif
