/*
 * A run that is sent and received step by step: against a real redis-server,
 * while its user waits on redis_fd, and on several runs at once.
 */
#include "redis_fixture.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { LONG_MS = 60000 };

static int
set_up(void **state)
{
    *state = connect_to_empty();
    return *state != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    redis_close(*state);
    return 0;
}

static enum redis_result
send_ping(struct redis *redis)
{
    redis_server_ping(NULL, redis_call(redis, &redis_server_command));
    return redis_send(redis);
}

/* Sends a run and waits until redis_fd shows its reply. */
static void
run_until_readable(struct redis *redis)
{
    struct pollfd pollfd = {.fd = redis_fd(redis), .events = POLLIN};

    assert_int_equal(send_ping(redis), REDIS_PENDING);
    assert_int_equal(poll(&pollfd, 1, LONG_MS), 1);
}

static enum redis_result
receive(struct redis *redis)
{
    const struct redis_reply *reply;
    enum redis_result result = redis_receive(redis, &reply);

    return result == REDIS_PENDING ? redis_finish(redis, result, &reply)
                                   : result;
}

static void
test_step_leaves_the_reply(void **state)
{
    struct redis *redis = *state;
    uint64_t connection = redis_connection(redis);

    run_until_readable(redis);
    redis_step(redis);
    assert_int_equal(redis_check_connection(redis), connection);
    assert_int_equal(receive(redis), REDIS_DONE);
    assert_int_equal(redis_connection(redis), connection);
}

/* After the run, a socket that Redis has closed is noticed as ever. */
static void
test_the_end_is_noticed_after_a_run(void **state)
{
    struct redis *redis = *state;
    uint64_t connection = redis_connection(redis);

    run_until_readable(redis);
    assert_int_equal(receive(redis), REDIS_DONE);
    assert_int_equal(
        redis_server_administer(&server, "CLIENT KILL TYPE normal"), 0);
    while (redis_connection(redis) == connection) {
        struct pollfd pollfd = {.fd = redis_fd(redis), .events = POLLIN};

        assert_int_equal(poll(&pollfd, 1, LONG_MS), 1);
        redis_step(redis);
    }
}

/* Of two runs one ends at once, the other not before its server goes on. */
static void
test_any(void **state)
{
    struct redis *fast = *state;
    struct redis_server hung = {0};
    struct redis *slow;
    const struct redis *both[2];
    int64_t started_ms;

    assert_int_equal(redis_server_start(&hung), 0);
    slow = redis_server_connect(&hung);
    assert_non_null(slow);
    kill(hung.pid, SIGSTOP);
    both[0] = slow;
    both[1] = fast;
    assert_int_equal(send_ping(slow), REDIS_PENDING);
    assert_int_equal(send_ping(fast), REDIS_PENDING);
    assert_in_range(redis_run_wait_ms(slow), 1, LONG_MS);
    started_ms = clock_mono_ms();
    assert_int_equal(redis_await_any(both, 2, LONG_MS), 2);
    assert_int_equal(receive(fast), REDIS_DONE);
    assert_int_equal(redis_await_any(both, 1, 10), 0); /* at most so long */
    assert_true(clock_mono_ms() - started_ms < LONG_MS);
    kill(hung.pid, SIGCONT);
    assert_int_equal(receive(slow), REDIS_DONE);
    /* None is under way: at once. */
    assert_int_equal(redis_await_any(both, 2, LONG_MS), 3);
    assert_true(clock_mono_ms() - started_ms < LONG_MS);
    redis_close(slow);
    redis_server_stop(&hung);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_step_leaves_the_reply),
        TEST(test_the_end_is_noticed_after_a_run),
        TEST(test_any),
    };

    return cmocka_run_group_tests_name("run", tests, start_server, stop_server);
}
