/*
 * The metrics of the pool: this responder counts into its slot of the file
 * stats.path, and any responder writes the sums of all. docs/metrics.md lists
 * them.
 */
#ifndef POOL_STATS_H
#define POOL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/options.h"
#include "redis/redis.h"
#include "request.h"
#include "stats/stats_file.h"
#include "store/counter.h"

struct json_t;
struct pool_stats;

/*
 * Opens stats.path, and counts this responder as started. why: as from
 * stats_file_open. NULL: no memory.
 */
struct pool_stats *pool_stats_open(const struct options *options,
                                   char why[STATS_WHY_SIZE]);
void pool_stats_close(struct pool_stats *stats);

/* A request was answered. */
void pool_stats_count_answer(struct pool_stats *stats, enum request_kind kind,
                             int status, enum error_code error);

/* How an id was confirmed. */
enum pool_stats_id { POOL_STATS_NEW, POOL_STATS_SEEN, POOL_STATS_CACHED };

void pool_stats_count_ids(struct pool_stats *stats, enum pool_stats_id result,
                          uint64_t n);

/* n requests for ids were answered, each within us microseconds. */
void pool_stats_observe_requests(struct pool_stats *stats, int64_t us,
                                 size_t n);

/* A batch of n requests, of which `jobs` queued a callback, is over. */
void pool_stats_observe_batch(struct pool_stats *stats, size_t n, size_t jobs);

/* A run of a script has ended; refusal: of redis_refusal. */
void pool_stats_observe_script(struct pool_stats *stats,
                               enum counter_script script,
                               enum redis_result result, int64_t us,
                               const char *refusal);

void pool_stats_count_loss(struct pool_stats *stats,
                           const struct marks_loss *loss);

/* The worst state of all shards, and the state of each. */
void pool_stats_set_redis_state(struct pool_stats *stats,
                                enum redis_state state);
void pool_stats_set_shard_state(struct pool_stats *stats, int64_t shard,
                                enum redis_state state);

/* The number of requests for ids that are not sent yet. */
void pool_stats_set_waiting_ids(struct pool_stats *stats, size_t count);

/* The number of ids in the id cache. */
void pool_stats_set_recent_ids(struct pool_stats *stats, size_t count);

/* The number of living reporters, as Redis has told. */
void pool_stats_set_reporters(struct pool_stats *stats, int64_t count);

struct pool_stats_pool {
    int64_t responders; /* that live */
    int64_t started_s;  /* since the Unix epoch: the newest of them */
};

/* What is known of the whole pool. */
struct pool_stats_pool pool_stats_pool(const struct pool_stats *stats);

/* This responder ends: it does not count as living any more. True if no other
   lives. */
bool pool_stats_leave(struct pool_stats *stats);

/* Reads what the process uses of the system, if that is due; now_us: monotonic.
 */
void pool_stats_refresh(struct pool_stats *stats, int64_t now_us);

/*
 * The requests of the whole pool as JSON (jansson), the caller's: "codes" of
 * the answers to requests for ids, "errors", "ids". NULL: no memory.
 */
struct json_t *pool_stats_requests(const struct pool_stats *stats);

/* Writes the sums of the whole pool in the text format of Prometheus. */
void pool_stats_write(struct pool_stats *stats, FILE *out);

#endif
