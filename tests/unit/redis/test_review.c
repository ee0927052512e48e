/*
 * review: what an operator changes in a real Redis while the connection is up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redis_fixture.h"

enum { QUICK_MS = 20, HOUR_MS = 3600 * 1000 };

struct fixture {
    struct redis *redis; /* under review */
    int warnings;
    char warning[512]; /* the last */
    char reason[512];  /* of the last change */
};

static void
on_change(void *context, const struct redis_change *change)
{
    struct fixture *f = context;

    if (change->reason != NULL) {
        snprintf(f->reason, sizeof(f->reason), "%s", change->reason);
    }
    if (change->warning != NULL) {
        f->warnings++;
        snprintf(f->warning, sizeof(f->warning), "%s", change->warning);
    }
}

static void
connect_reviewed(struct fixture *f, int64_t review_ms)
{
    struct redis_options options = {
        .url = server.url,
        .client_name = "unit",
        .timeout_ms = 2000,
        .check = {.script = &redis_server_command,
                  .add_args = redis_server_ping},
        .review_ms = review_ms,
        .on_change = on_change,
        .on_change_context = f,
    };

    f->redis = redis_open(&options);
    assert_non_null(f->redis);
    assert_true(redis_server_await(f->redis, REDIS_STATE_UP));
}

static void
administer(const char *words)
{
    assert_int_equal(redis_server_administer(&server, words), 0);
}

static int
set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    signal(SIGPIPE, SIG_IGN);
    *state = &fixture;
    redis_close(connect_to_empty()); /* it listens now */
    administer("CONFIG SET appendonly no maxmemory-policy noeviction");
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    return 0;
}

/* Calls redis_step for this long, as the programs do. */
static void
step_for(struct redis *redis, int64_t ms)
{
    struct timespec pause = {.tv_nsec = 1000 * 1000};

    while (ms-- > 0) {
        redis_step(redis);
        nanosleep(&pause, NULL);
    }
}

static void
test_a_policy_that_evicts(void **state)
{
    struct fixture *f = *state;

    connect_reviewed(f, QUICK_MS);
    administer("CONFIG SET maxmemory-policy allkeys-lru");
    assert_true(redis_server_await(f->redis, REDIS_STATE_UNUSABLE));
    assert_non_null(strstr(f->reason, "maxmemory-policy is allkeys-lru"));
    administer("CONFIG SET maxmemory-policy noeviction");
    assert_true(redis_server_await(f->redis, REDIS_STATE_UP));
}

/* A warning at the connect, and another only if it has become another. */
static void
test_no_append_only_file(void **state)
{
    struct fixture *f = *state;

    connect_reviewed(f, QUICK_MS);
    assert_non_null(strstr(f->warning, "set appendonly yes"));
    step_for(f->redis, 10 * QUICK_MS);
    assert_int_equal(f->warnings, 1);
    administer("CONFIG SET appendonly yes");
    step_for(f->redis, 10 * QUICK_MS);
    assert_int_equal(f->warnings, 1);
    administer("CONFIG SET appendonly no");
    for (int i = 0; i < 1000 && f->warnings < 2; i++) {
        step_for(f->redis, 10);
    }
    assert_int_equal(f->warnings, 2);
    assert_int_equal(redis_check_connection(f->redis), 1);
}

/* Replies to reviews and to scripts are never taken for each other. */
static void
test_scripts_run_meanwhile(void **state)
{
    struct fixture *f = *state;
    char text[16];

    connect_reviewed(f, 1);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_string_equal(redis_do(f->redis, "ECHO", text, NULL), text);
        redis_step(f->redis);
        if (i % 3 == 0) {
            assert_int_equal(redis_check_connection(f->redis), 1);
        }
    }
}

/* A script that is refused is followed by a review at once. */
static void
test_a_refused_script(void **state)
{
    struct fixture *f = *state;

    connect_reviewed(f, HOUR_MS);
    administer("CONFIG SET maxmemory-policy allkeys-lru");
    step_for(f->redis, 20);
    assert_int_equal(redis_state(f->redis), REDIS_STATE_UP);
    redis_do(f->redis, "INCR", "a", "b", NULL);
    assert_true(redis_server_await(f->redis, REDIS_STATE_UNUSABLE));
}

/* A Redis that hangs is noticed although no script is run. */
static void
test_no_answer(void **state)
{
    struct fixture *f = *state;

    connect_reviewed(f, QUICK_MS);
    kill(server.pid, SIGSTOP);
    assert_true(redis_server_await(f->redis, REDIS_STATE_DOWN));
    kill(server.pid, SIGCONT);
    assert_non_null(strstr(f->reason, "no answer in time"));
    assert_true(redis_server_await(f->redis, REDIS_STATE_UP));
}

/* A connection that is lost during a review is made again. */
static void
test_a_lost_connection(void **state)
{
    struct fixture *f = *state;

    connect_reviewed(f, 1);
    for (int i = 1; i <= 20; i++) {
        step_for(f->redis, 2);
        administer("CLIENT KILL TYPE normal SKIPME yes");
        assert_int_equal(redis_check_connection(f->redis), 0);
        assert_true(redis_server_await(f->redis, REDIS_STATE_UP));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_policy_that_evicts),
        TEST(test_no_append_only_file),
        TEST(test_scripts_run_meanwhile),
        TEST(test_a_refused_script),
        TEST(test_no_answer),
        TEST(test_a_lost_connection),
    };

    return cmocka_run_group_tests_name("review", tests, start_server,
                                       stop_server);
}
