/*
 * For the tests of counting, with one shard (counter_fixture.h) or several
 * (shards_fixture.h): the options, requests, and a batch from start to end.
 */
#ifndef BATCH_FIXTURE_H
#define BATCH_FIXTURE_H

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "redis_fixture.h"
#include "store/counter.h"

enum { HOUR_S = 3600 };

/* The strategy of the counters that set_up makes. */
static enum dedup_kind strategy;

/* Sets zeroed options. No window ends in the next minute. */
static inline void
set_options(struct options *options, int64_t shards, int64_t retention_hours)
{
    while (time(NULL) % HOUR_S > HOUR_S - 60) {
        sleep(1);
    }
    options->redis.prefix = (char *)"verve";
    options->redis.shards = shards;
    options->redis.timeout_ms = 2000;
    options->window.seconds = HOUR_S;
    options->window.retention_hours = retention_hours;
    options->dedup.strategy = strategy;
    options->callbacks.max_queue = 100;
}

static inline struct counter_request
request(int64_t id, const char *endpoint)
{
    return (struct counter_request){
        .id = id,
        .endpoint = endpoint,
        .endpoint_len = endpoint == NULL ? 0 : strlen(endpoint)};
}

/* Counts a batch, which may be empty, and waits for the end. */
static inline struct counter_window
commit_batch(struct redis *redis, struct counter *counter,
             struct counter_request *requests, size_t count)
{
    bool under_way = counter_start(counter, requests, count, clock_mono_us());

    while (under_way) {
        redis_await(redis);
        under_way = counter_step(counter);
    }
    return counter_result(counter);
}

#endif
