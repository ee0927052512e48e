/*
 * For the tests of counting: a counter of any strategy, on a Redis of its own.
 * Header only, as each test is one program.
 */
#ifndef COUNTER_FIXTURE_H
#define COUNTER_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "config/options.h"
#include "counting.h"
#include "redis_fixture.h"

/* The list of http://h:80. */
#define LIST_OF_H "verve:{0}:callbacks:9e6d9cc1b800d0c67a9d5057e3b0e34a"

/* The strategy of the counters that set_up makes. */
static enum dedup_kind strategy;

struct fixture {
    struct options options;
    struct redis *redis;
    struct counter *counter;
};

static inline int
set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    wait_for_room();
    *f = (struct fixture){0};
    f->options.redis.prefix = (char *)"verve";
    f->options.redis.shards = 1;
    f->options.redis.timeout_ms = 2000;
    f->options.window.seconds = HOUR_S;
    f->options.window.retention_hours = 2;
    f->options.dedup.strategy = strategy;
    f->options.callbacks.max_queue = 100;
    f->redis = connect_to_empty();
    f->counter = f->redis != NULL ? counter_open(&f->options, f->redis) : NULL;
    *state = f;
    return f->counter == NULL ? -1 : 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;

    counter_close(f->counter);
    redis_close(f->redis);
    return 0;
}

/* The key verve:{0}:<kind>:<window>; valid until the next call. */
static inline const char *
key_of(const char *kind, int64_t window_s)
{
    static char key[64];

    snprintf(key, sizeof(key), "verve:{0}:%s:%lld", kind, (long long)window_s);
    return key;
}

static inline long long
count_of(struct fixture *f, int64_t window_s)
{
    const char *key = key_of("count", window_s);

    return strtoll(redis_do(f->redis, "GET", key, NULL), NULL, 10);
}

/* Counts one id and returns its window; fails if the id is not counted. */
static inline int64_t
count_one(struct fixture *f, int64_t id)
{
    struct counter_request one = request(id, NULL);
    int64_t window_s = commit_batch(f->redis, f->counter, &one, 1).start_s;

    assert_int_equal(one.answer, COUNTER_COUNTED);
    return window_s;
}

static const struct redis_script least_and_most_ttl = {
    .name = "least_and_most_ttl",
    .sha1 = "ab37cbaca776fa7e0fd8be119b885ed19ba305aa",
    .body = "local least, most = math.huge, -1\n"
            "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do\n"
            "    local ttl = redis.call('TTL', key)\n"
            "    least, most = math.min(least, ttl), math.max(most, ttl)\n"
            "end\n"
            "return {least, most}\n",
};

/* The shortest and the longest TTL of the keys that match a pattern. */
static inline void
ttls_of(struct fixture *f, const char *pattern, int64_t *least, int64_t *most)
{
    struct command *call = redis_call(f->redis, &least_and_most_ttl);
    const struct redis_reply *reply;

    redis_arg(call, pattern, strlen(pattern));
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(redis_reply_at(reply, 0), least));
    assert_true(redis_reply_int(redis_reply_at(reply, 1), most));
}

#endif
