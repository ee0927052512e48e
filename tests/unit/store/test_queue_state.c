/*
 * queue_state, with a real Redis: what is counted, and which job is the oldest.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "redis_fixture.h"
#include "store/origin.h"
#include "store/queue_state.h"

#define DESTINATIONS "verve:{0}:destinations"
#define STRANGERS "verve:{0}:strangers"

struct fixture {
    struct options options;
    struct redis *redis;
};

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.options.redis.prefix = (char *)"verve",
                               .redis = connect_to_empty()};
    *state = &fixture;
    return fixture.redis == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    redis_close(((struct fixture *)*state)->redis);
    return 0;
}

/* A job that was accepted age_s ago, with so many attempts. */
static void
write_entry(char text[160], int attempts, int64_t age_s)
{
    int64_t at_s = (int64_t)time(NULL) - age_s; /* Redis is on this host */
    char head[16] = "";

    if (attempts > 0) {
        snprintf(head, sizeof(head), "%d ", attempts);
    }
    snprintf(text, 160,
             "%s{\"v\":1,\"url\":\"http://h/\\\"at\\\":1\",\"at\":%" PRId64 "}",
             head, at_s * 1000);
}

static void
push(struct fixture *f, const char *turns, const char *origin, int attempts,
     int64_t age_s)
{
    char hash[ORIGIN_HASH_SIZE];
    char key[80], text[160];

    write_entry(text, attempts, age_s);
    assert_int_equal(origin_hash(origin, hash), 0);
    snprintf(key, sizeof(key), "verve:{0}:callbacks:%s", hash);
    redis_do(f->redis, "RPUSH", key, text, NULL);
    redis_do(f->redis, "ZADD", turns, "1", origin, NULL);
}

static struct queue_state
look(struct fixture *f)
{
    struct queue_state state = {-1, -1, -1, -1};

    assert_int_equal(queue_state_read(&f->options, f->redis, &state), 0);
    return state;
}

static void
test_empty(void **state)
{
    struct queue_state found = look(*state);

    assert_int_equal(found.waiting, 0);
    assert_int_equal(found.due, 0);
    assert_int_equal(found.dead, 0);
    assert_int_equal(found.oldest_ms, 0);
}

static void
test_counts(void **state)
{
    struct fixture *f = *state;
    struct queue_state found;

    redis_do(f->redis, "HSET", "verve:{0}:queue", "jobs", "12", NULL);
    redis_do(f->redis, "ZADD", "verve:{0}:due", "1", "a", "2", "b", "3", "c",
             NULL);
    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", "x", "y", NULL);
    redis_do(f->redis, "RPUSH", "verve:{0}:dead", "z", NULL);
    found = look(f);
    assert_int_equal(found.waiting, 11);
    assert_int_equal(found.due, 3);
    assert_int_equal(found.dead, 1);

    /* An operator has removed jobs without counting them. */
    redis_do(f->redis, "HSET", "verve:{0}:queue", "jobs", "1", NULL);
    assert_int_equal(look(f).waiting, 2);
}

static void
test_the_oldest(void **state)
{
    struct fixture *f = *state;

    push(f, DESTINATIONS, "http://a:80", 0, 10);
    push(f, STRANGERS, "http://b:80", 0, 500);
    assert_in_range(look(f).oldest_ms, 500000, 520000);
    push(f, DESTINATIONS, "http://a:80", 0, 1000); /* behind the head */
    assert_in_range(look(f).oldest_ms, 500000, 520000);
}

/* A job that had an attempt does not count; the jobs behind it do. */
static void
test_retries_are_passed_over(void **state)
{
    struct fixture *f = *state;

    push(f, DESTINATIONS, "http://a:80", 3, 9000);
    assert_int_equal(look(f).oldest_ms, 0);
    push(f, DESTINATIONS, "http://a:80", 1, 9000);
    push(f, DESTINATIONS, "http://a:80", 0, 100);
    assert_in_range(look(f).oldest_ms, 100000, 120000);
}

static void
test_jobs_without_a_time(void **state)
{
    struct fixture *f = *state;
    char text[160];

    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", "{\"v\":1}", NULL);
    assert_int_equal(look(f).oldest_ms, 0);
    redis_do(f->redis, "DEL", "verve:{0}:callbacks", NULL);
    write_entry(text, 0, -50); /* of the future */
    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", text, NULL);
    assert_int_equal(look(f).oldest_ms, 0);
    redis_do(f->redis, "DEL", "verve:{0}:callbacks", NULL);
    write_entry(text, 0, 30);
    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", text, NULL);
    assert_in_range(look(f).oldest_ms, 30000, 50000);
}

static void
test_a_key_of_another_type(void **state)
{
    struct fixture *f = *state;
    struct queue_state found;

    redis_do(f->redis, "SET", "verve:{0}:due", "1", NULL);
    assert_int_equal(queue_state_read(&f->options, f->redis, &found), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_counts),
        TEST(test_the_oldest),
        TEST(test_retries_are_passed_over),
        TEST(test_jobs_without_a_time),
        TEST(test_a_key_of_another_type),
    };

    return cmocka_run_group_tests_name("queue_state", tests, start_server,
                                       stop_server);
}
