/*
 * What the fixtures of one shard and of several share: a run of a counter as a
 * whole, and requests. Header only, as each test is one program.
 */
#ifndef COUNTING_H
#define COUNTING_H

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "redis/redis.h"
#include "store/counter.h"

enum { HOUR_S = 3600 };

/* No window of an hour ends within the next minute. */
static inline void
wait_for_room(void)
{
    while (time(NULL) % HOUR_S > HOUR_S - 60) {
        sleep(1);
    }
}

/* Goes on with what a counter has started, until it is over. */
static inline void
finish_run(struct redis *redis, struct counter *counter, bool under_way)
{
    while (under_way) {
        redis_await(redis);
        under_way = counter_step(counter);
    }
}

/* Counts a batch, which may be empty, and waits for the end. */
static inline struct counter_window
commit_batch(struct redis *redis, struct counter *counter,
             struct counter_request *requests, size_t count)
{
    finish_run(redis, counter,
               counter_start(counter, requests, count, clock_mono_us()));
    return counter_result(counter);
}

static inline struct probe
probe_shard(struct redis *redis, struct counter *counter)
{
    finish_run(redis, counter, counter_start_probe(counter));
    return counter_probed(counter);
}

static inline struct counter_request
request(int64_t id, const char *endpoint)
{
    return (struct counter_request){
        .id = id,
        .endpoint = endpoint,
        .endpoint_len = endpoint == NULL ? 0 : strlen(endpoint)};
}

#endif
