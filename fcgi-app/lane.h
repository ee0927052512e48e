/*
 * A lane: the ids of one shard on their way to its Redis, and back. At most one
 * run of a script is under way: it counts all ids that have come (group
 * commit), or it is a probe for /readyz, or writes the presence of the pool.
 * Ids that come meanwhile wait for the next, so a shard that is slow or away
 * holds up no other.
 *
 * If there is one shard, a run is started at once, and may block while a
 * connection is being made. If there are several, nothing blocks, and ids wait
 * for the connection.
 */
#ifndef LANE_H
#define LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "config/options.h"
#include "fcgi_conn.h"
#include "pool_presence.h"
#include "pool_stats.h"
#include "redis/redis.h"
#include "store/probe.h"
#include "store/shard_news.h"

struct lane;

/* Ids that may wait while a run is under way, in batches. */
enum { LANE_WAITING_BATCHES = 2 };

/* Everything is borrowed for the life of the lane. */
struct lane_settings {
    const struct options *options; /* as the shard sees them: shard_view */
    struct redis *redis;
    struct shard_news *news; /* NULL: there is one shard */
    struct answers *answers;
    struct pool_stats *stats;
    struct pool_presence *presence; /* NULL: another lane writes it */
    size_t cache_ids;               /* the most that the id cache holds */
};

/* NULL: no memory. */
struct lane *lane_open(const struct lane_settings *settings);
void lane_close(struct lane *lane);

/* A round begins: what is known of the connection is old. */
void lane_begin(struct lane *lane);

/*
 * Takes an accept request for an id of the shard: answers it if the id is
 * known, or if too many wait; else it waits. False if it was answered.
 */
bool lane_add(struct lane *lane, struct fcgi_exchange *exchange);

/* Wants a probe, from the next run on. */
void lane_want_probe(struct lane *lane);

/* What the probe has found; NULL: it is not over. */
const struct probe *lane_probe(const struct lane *lane);

/* Starts what is due, unless a run is under way. */
void lane_go(struct lane *lane);

/* True while a run is under way: lane_step has to be called. */
bool lane_is_out(const struct lane *lane);

/*
 * Goes on with the run that is under way. If it is over, its requests are
 * answered. True if it is not over.
 */
bool lane_step(struct lane *lane);

/* Answers those with 503 that have waited for too long. */
void lane_expire(struct lane *lane);

/*
 * Milliseconds until lane_step, lane_expire or lane_go has something to do,
 * although nothing has come from Redis; -1: never.
 */
int64_t lane_wait_ms(const struct lane *lane);

/* Requests that have no answer yet. */
size_t lane_held(const struct lane *lane);

/* Those of them that are not sent yet. */
size_t lane_waiting(const struct lane *lane);

/* The ids in the id cache. */
size_t lane_cached(const struct lane *lane);

/* Why the last run failed: of redis_error. */
const struct redis *lane_redis(const struct lane *lane);

/* No time is left: answers all that it holds with 503. */
void lane_give_up(struct lane *lane);

/*
 * Before lane_close: starts what counter_start_sign_off does, unless another
 * run is under way. lane_step goes on with it, as long as lane_is_out.
 */
void lane_start_sign_off(struct lane *lane);

/* The probe of /readyz failed, or not, for so many requests: for the log. */
void lane_log_probe(struct lane *lane, enum error_code error, size_t count);

#endif
