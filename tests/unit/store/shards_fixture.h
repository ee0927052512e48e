/*
 * For the tests of several shards: a counter and a connection for each, all on
 * one Redis. Header only, as each test is one program.
 */
#ifndef SHARDS_FIXTURE_H
#define SHARDS_FIXTURE_H

#include <stdlib.h>
#include <unistd.h>

#include "counting.h"
#include "redis_fixture.h"
#include "store/shard.h"

enum { SHARDS = 3 };

/* The strategy of the counters that set_up makes. */
static enum dedup_kind strategy;

struct fixture {
    struct options options;
    struct options views[SHARDS];
    struct redis *redis[SHARDS];
    struct counter *counters[SHARDS];
    struct shard_news *news;
};

/* Opens the counters of one responder. */
static inline int
open_counters(struct fixture *f, struct counter *counters[SHARDS],
              struct shard_news **news)
{
    *news = shard_news_open(SHARDS, f->options.window.seconds);
    for (int i = 0; i < SHARDS; i++) {
        counters[i] = counter_open(&f->views[i], f->redis[i]);
        if (counters[i] == NULL) {
            return -1;
        }
        counter_share(counters[i], *news);
    }
    return *news == NULL ? -1 : 0;
}

static inline int
set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    wait_for_room();
    *f = (struct fixture){0};
    f->options.redis.prefix = (char *)"verve";
    f->options.redis.timeout_ms = 2000;
    f->options.redis.shards = SHARDS;
    f->options.window.seconds = HOUR_S;
    f->options.window.retention_hours = 24;
    f->options.dedup.strategy = strategy;
    f->options.callbacks.max_queue = 100;
    for (int i = 0; i < SHARDS; i++) {
        shard_view(&f->views[i], &f->options, i);
        f->redis[i] =
            i == 0 ? connect_to_empty() : redis_server_connect(&server);
        if (f->redis[i] == NULL) {
            return -1;
        }
    }
    *state = f;
    return open_counters(f, f->counters, &f->news);
}

static inline void
close_counters(struct counter *counters[SHARDS], struct shard_news *news)
{
    for (int i = 0; i < SHARDS; i++) {
        counter_close(counters[i]);
    }
    shard_news_close(news);
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;

    close_counters(f->counters, f->news);
    for (int i = 0; i < SHARDS; i++) {
        redis_close(f->redis[i]);
    }
    return 0;
}

/* commit_batch in a shard. */
static inline struct counter_window
count_in(struct fixture *f, int shard, struct counter *counter,
         struct counter_request *requests, size_t count)
{
    return commit_batch(f->redis[shard], counter, requests, count);
}

/* Hears of all shards. */
static inline void
hear(struct fixture *f)
{
    for (int i = 0; i < SHARDS; i++) {
        while (counter_idle_ms(f->counters[i]) > 0) {
            usleep((useconds_t)counter_idle_ms(f->counters[i]) * 1000);
        }
        count_in(f, i, f->counters[i], NULL, 0);
    }
}

/* An id of a shard, greater than `after`. */
static inline int64_t
id_of(int shard, int64_t after)
{
    while (shard_of(++after, SHARDS) != shard) {
    }
    return after;
}

/* Counts one id in a shard; returns its window. */
static inline int64_t
count_one(struct fixture *f, int shard, int64_t id)
{
    struct counter_request one = request(id, NULL);
    int64_t window_s = count_in(f, shard, f->counters[shard], &one, 1).start_s;

    assert_int_equal(one.answer, COUNTER_COUNTED);
    return window_s;
}

/* The value of verve:{tag}:<name>, a string; valid until the next redis_do. */
static inline const char *
value_of(struct fixture *f, int shard, const char *name)
{
    char key[96];

    snprintf(key, sizeof(key), "verve:{%lld}:%s",
             (long long)f->views[shard].redis.tag, name);
    return redis_do(f->redis[0], "GET", key, NULL);
}

#endif
