/*
 * tally: batches against a real Redis. What the script promises: all of a
 * batch or nothing, counted in the window that is on by Redis's clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "option.h"
#include "redis_server.h"
#include "schema.h"
#include "tally.h"

static struct redis_server server;

struct fixture {
    struct options options;
    struct redis *redis;
    struct tally *tally;
};

static int
setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture){0};
    f->options.redis.prefix = (char *)"verve";
    f->options.redis.timeout_ms = 2000;
    f->options.window.seconds = 3600;
    f->options.window.retention_hours = 2;
    f->options.callbacks.max_queue = 100;
    f->redis = redis_server_connect(&server);
    f->tally = f->redis != NULL ? tally_open(&f->options, f->redis) : NULL;
    *state = f;
    if (f->tally == NULL) {
        return -1;
    }
    redis_do(f->redis, "FLUSHALL", NULL);
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    tally_close(f->tally);
    redis_close(f->redis);
    return 0;
}

/* The reply of a command whose one %lld is the window. */
static const char *
count_key(int64_t window_s)
{
    static char key[64];

    snprintf(key, sizeof(key), "verve:{0}:count:%lld", (long long)window_s);
    return key;
}

static const char *
seen_key(int64_t window_s, long long id)
{
    static char key[96];

    snprintf(key, sizeof(key), "verve:{0}:seen:%lld:%lld", (long long)window_s,
             id);
    return key;
}

static struct tally_request
request(int64_t id, const char *endpoint)
{
    struct tally_request made = {.id = id, .endpoint = endpoint};

    made.endpoint_len = endpoint == NULL ? 0 : strlen(endpoint);
    return made;
}

static void
test_counts_unique_ids(void **state)
{
    struct fixture *f = *state;
    struct tally_request batch[] = {request(7, NULL), request(-7, NULL),
                                    request(7, NULL), request(INT64_MIN, NULL)};
    int64_t window_s = tally_commit(f->tally, batch, 4);
    size_t i;

    for (i = 0; i < 4; i++) {
        assert_int_equal(batch[i].answer, TALLY_COUNTED);
    }
    assert_int_equal(window_s % 3600, 0);
    assert_string_equal(redis_do(f->redis, "GET", count_key(window_s), NULL),
                        "3");
    assert_string_equal(
        redis_do(f->redis, "GET", seen_key(window_s, INT64_MIN), NULL), "1");
    assert_string_equal(redis_do(f->redis, "TTL", count_key(window_s), NULL),
                        "10800");
    assert_string_equal(redis_do(f->redis, "TTL", seen_key(window_s, 7), NULL),
                        "7200");
    tally_commit(f->tally, batch, 4);
    assert_string_equal(redis_do(f->redis, "GET", count_key(window_s), NULL),
                        "3");
}

static void
test_jobs_carry_the_running_count(void **state)
{
    static const char url[] = "http://h/\"\\?a=b";
    struct fixture *f = *state;
    struct tally_request batch[] = {request(1, url), request(2, NULL),
                                    request(1, url)};
    int64_t window_s = tally_commit(f->tally, batch, 3);
    char expected[128];
    const char *job;

    assert_string_equal(redis_do(f->redis, "LLEN", "verve:{0}:callbacks", NULL),
                        "2");
    snprintf(expected, sizeof(expected),
             "\",\"url\":\"http://h/\\\"\\\\?a=b\",\"window\":%lld,"
             "\"count\":2}",
             (long long)window_s);
    job = redis_do(f->redis, "LINDEX", "verve:{0}:callbacks", "1", NULL);
    assert_memory_equal(job, "{\"v\":1,\"id\":\"", 13);
    assert_string_equal(job + 13 + 32, expected);
    job = redis_do(f->redis, "LINDEX", "verve:{0}:callbacks", "0", NULL);
    assert_non_null(strstr(job, "\"count\":1}"));
}

static void
test_a_full_queue_counts_nothing(void **state)
{
    struct fixture *f = *state;
    struct tally_request batch[] = {request(1, "http://h/"), request(2, NULL),
                                    request(3, "http://h/"), request(4, NULL)};
    int64_t window_s;

    f->options.callbacks.max_queue = 3;
    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", "x", NULL);
    redis_do(f->redis, "ZADD", "verve:{0}:due", "1", "y", NULL);
    window_s = tally_commit(f->tally, batch, 4);
    assert_int_equal(batch[0].answer, TALLY_COUNTED);
    assert_int_equal(batch[1].answer, TALLY_COUNTED);
    assert_int_equal(batch[2].answer, TALLY_QUEUE_FULL);
    assert_int_equal(batch[3].answer, TALLY_COUNTED);
    assert_string_equal(redis_do(f->redis, "GET", count_key(window_s), NULL),
                        "3");
    assert_string_equal(
        redis_do(f->redis, "EXISTS", seen_key(window_s, 3), NULL), "0");
}

/* A sealed window takes no more ids: they count in the next. */
static void
test_a_sealed_window_is_over(void **state)
{
    struct fixture *f = *state;
    struct tally_request one = request(1, NULL);
    int64_t window_s = tally_commit(f->tally, &one, 1);
    char sealed[24];
    long long ttl;

    snprintf(sealed, sizeof(sealed), "%lld", (long long)window_s);
    redis_do(f->redis, "SET", "verve:{0}:sealed", sealed, NULL);
    assert_int_equal(tally_commit(f->tally, &one, 1), window_s + 3600);
    assert_int_equal(one.answer, TALLY_COUNTED);
    assert_string_equal(redis_do(f->redis, "GET", count_key(window_s), NULL),
                        "1");
    /* Seen for as long as that window is on, however far it lies ahead. */
    ttl = strtoll(redis_do(f->redis, "TTL", seen_key(window_s + 3600, 1), NULL),
                  NULL, 10);
    assert_in_range(ttl, 7200, 3 * 3600);
}

/* Whatever is wrong in Redis, a batch leaves nothing half done. */
static void
check_refused(struct fixture *f, int64_t window_s)
{
    struct tally_request batch[] = {request(91, "http://h/"),
                                    request(92, NULL)};

    tally_commit(f->tally, batch, 2);
    assert_int_equal(batch[0].answer, TALLY_UNAVAILABLE);
    assert_int_equal(batch[1].answer, TALLY_UNAVAILABLE);
    assert_string_equal(
        redis_do(f->redis, "EXISTS", seen_key(window_s, 91), NULL), "0");
    assert_string_equal(
        redis_do(f->redis, "EXISTS", seen_key(window_s, 92), NULL), "0");
}

static void
test_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct tally_request one = request(1, NULL);
    int64_t window_s = tally_commit(f->tally, &one, 1);

    redis_do(f->redis, "SET", count_key(window_s), "many", NULL);
    check_refused(f, window_s);
    redis_do(f->redis, "SET", count_key(window_s), "1.5", NULL);
    check_refused(f, window_s);
    redis_do(f->redis, "SET", count_key(window_s), "9223372036854775807", NULL);
    check_refused(f, window_s);
    redis_do(f->redis, "DEL", count_key(window_s), NULL);
    redis_do(f->redis, "RPUSH", count_key(window_s), "x", NULL);
    check_refused(f, window_s);
    redis_do(f->redis, "DEL", count_key(window_s), NULL);
    redis_do(f->redis, "SET", "verve:{0}:callbacks", "x", NULL);
    check_refused(f, window_s);
    redis_do(f->redis, "DEL", "verve:{0}:callbacks", NULL);
    tally_commit(f->tally, &one, 1);
    assert_int_equal(one.answer, TALLY_COUNTED);
}

static void
test_a_forgotten_script_is_loaded_again(void **state)
{
    struct fixture *f = *state;
    struct tally_request one = request(1, NULL);

    tally_commit(f->tally, &one, 1);
    redis_do(f->redis, "SCRIPT", "FLUSH", NULL);
    tally_commit(f->tally, &one, 1);
    assert_int_equal(one.answer, TALLY_COUNTED);
}

static int
start_server(void **state)
{
    (void)state;
    return redis_server_start(&server);
}

static int
stop_server(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts_unique_ids, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_jobs_carry_the_running_count,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_queue_counts_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_sealed_window_is_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_forgotten_script_is_loaded_again,
                                        setup, teardown),
    };

    return cmocka_run_group_tests_name("tally", tests, start_server,
                                       stop_server);
}
