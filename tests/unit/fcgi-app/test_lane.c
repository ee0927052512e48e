/*
 * lane: against a real redis-server that is stopped for a while. Which requests
 * wait, which are refused, and in which order they are answered.
 */
#include "redis_fixture.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lane.h"

enum { MAX_BATCH = 4, MOST = 20, TIMEOUT_MS = 4000 };

struct fixture {
    struct options options;
    struct redis *redis;
    struct pool_stats *stats;
    struct answers answers;
    struct lane *lane;
    struct fcgi_conn conns[MOST];
    struct fcgi_exchange exchanges[MOST];
    int peers[MOST];
    char settings[2][256];
};

static void
complain(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    char *environment[] = {f->settings[0],
                           f->settings[1],
                           (char *)"VERVE_REDIS_TIMEOUT_MS=4000",
                           (char *)"VERVE_ACCEPT_MAX_BATCH=4",
                           (char *)"VERVE_WINDOW_SECONDS=86400",
                           (char *)"VERVE_WINDOW_RETENTION_HOURS=48",
                           NULL};
    char why[STATS_WHY_SIZE];

    memset(f, 0, sizeof(*f));
    *state = f;
    f->redis = connect_to_empty();
    assert_non_null(f->redis);
    snprintf(f->settings[0], sizeof(f->settings[0]), "VERVE_REDIS_URL=%s",
             server.url);
    snprintf(f->settings[1], sizeof(f->settings[1]),
             "VERVE_STATS_PATH=%s.stats", server.path);
    assert_int_equal(
        options_load(&f->options, NULL, environment, complain, NULL), 0);
    f->stats = pool_stats_open(&f->options, why);
    assert_non_null(f->stats);
    answers_init(&f->answers, f->stats);
    f->lane = lane_open(&(struct lane_settings){.options = &f->options,
                                                .redis = f->redis,
                                                .answers = &f->answers,
                                                .stats = f->stats,
                                                .cache_ids = 100});
    return f->lane != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    kill(server.pid, SIGCONT);
    lane_close(f->lane);
    pool_stats_close(f->stats);
    unlink(f->options.stats.path);
    options_fini(&f->options);
    redis_close(f->redis);
    for (int i = 0; i < MOST; i++) {
        if (f->peers[i] != 0) {
            close(f->peers[i]);
            close(f->conns[i].fd);
        }
    }
    return 0;
}

/* Request number i, for id i, which came at since_us. */
static bool
add(struct fixture *f, int i, int64_t since_us)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->peers[i] = fds[1];
    f->conns[i] = (struct fcgi_conn){.fd = fds[0], .parser = {.id = 1}};
    f->exchanges[i] = (struct fcgi_exchange){
        .conn = &f->conns[i],
        .request = {.kind = REQUEST_ACCEPT, .status = 200, .id = i},
        .since_us = since_us};
    return lane_add(f->lane, &f->exchanges[i]);
}

/* The status that request i was answered with; 0: it has no answer. */
static int
status_of(const struct fixture *f, int i)
{
    char text[1024] = "";
    const char *status;

    if (recv(f->peers[i], text, sizeof(text) - 1, MSG_DONTWAIT) <= 8) {
        return 0;
    }
    status = strstr(text + 8, "Status: ");
    return status != NULL ? atoi(status + strlen("Status: ")) : 200;
}

/* Steps the run that is under way to its end. */
static void
finish_run(struct fixture *f)
{
    do {
        redis_await(f->redis);
    } while (lane_step(f->lane));
}

/* Takes the first of those that were answered; -1: none. */
static int
first_answered(struct fixture *f)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(&f->answers.given);

    if (exchange == NULL) {
        return -1;
    }
    STAILQ_REMOVE_HEAD(&f->answers.given, link);
    return (int)(exchange - f->exchanges);
}

static void
test_what_comes_during_a_run_waits_in_order(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = clock_mono_us();

    kill(server.pid, SIGSTOP);
    assert_true(add(f, 0, now_us));
    lane_go(f->lane);
    assert_true(lane_is_out(f->lane));
    for (int i = 1; i <= LANE_WAITING_BATCHES * MAX_BATCH; i++) {
        assert_true(add(f, i, now_us));
        lane_go(f->lane);
    }
    assert_false(add(f, 9, now_us)); /* no more may wait */
    assert_int_equal(status_of(f, 9), 503);
    assert_int_equal(first_answered(f), 9);
    assert_int_equal(lane_waiting(f->lane), LANE_WAITING_BATCHES * MAX_BATCH);
    assert_int_equal(lane_held(f->lane), LANE_WAITING_BATCHES * MAX_BATCH + 1);
    kill(server.pid, SIGCONT);
    finish_run(f);
    for (int i = 0; i <= LANE_WAITING_BATCHES * MAX_BATCH; i++) {
        if (lane_held(f->lane) > 0 && i % MAX_BATCH == 1) {
            lane_go(f->lane);
            finish_run(f);
        }
        assert_int_equal(first_answered(f), i);
        assert_int_equal(status_of(f, i), 200);
    }
    assert_int_equal(lane_held(f->lane), 0);
    lane_begin(f->lane);
    assert_false(add(f, 3, now_us)); /* known by now */
    assert_int_equal(status_of(f, 3), 200);
}

static void
test_who_waits_for_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = clock_mono_us();

    kill(server.pid, SIGSTOP);
    assert_true(add(f, 0, now_us));
    lane_go(f->lane);
    assert_true(add(f, 1, now_us - TIMEOUT_MS * 1000));
    assert_true(add(f, 2, now_us));
    assert_int_equal(lane_wait_ms(f->lane), 0);
    lane_expire(f->lane);
    assert_int_equal(first_answered(f), 1);
    assert_int_equal(status_of(f, 1), 503);
    assert_int_equal(first_answered(f), -1);
    assert_in_range(lane_wait_ms(f->lane), 1, TIMEOUT_MS);
    kill(server.pid, SIGCONT);
    finish_run(f);
    lane_go(f->lane);
    finish_run(f);
    assert_int_equal(first_answered(f), 0);
    assert_int_equal(first_answered(f), 2);
    assert_int_equal(status_of(f, 2), 200);
}

/* A probe does not wait for ever behind ids, nor ids behind it. */
static void
test_ids_and_probes_take_turns(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = clock_mono_us();

    for (int i = 0; i < 2 * MAX_BATCH; i++) {
        assert_true(add(f, i, now_us));
    }
    lane_want_probe(f->lane);
    lane_go(f->lane);
    finish_run(f);
    assert_int_equal(lane_held(f->lane), MAX_BATCH);
    assert_null(lane_probe(f->lane));
    lane_go(f->lane);
    finish_run(f);
    assert_int_equal(lane_held(f->lane), MAX_BATCH);
    assert_int_equal(lane_probe(f->lane)->fault, PROBE_READY);
    lane_go(f->lane);
    finish_run(f);
    assert_int_equal(lane_held(f->lane), 0);
}

static void
test_all_is_answered_at_the_end(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = clock_mono_us();

    kill(server.pid, SIGSTOP);
    assert_true(add(f, 0, now_us));
    lane_go(f->lane);
    assert_true(add(f, 1, now_us));
    lane_give_up(f->lane);
    assert_int_equal(lane_held(f->lane), 0);
    assert_int_equal(status_of(f, 0), 503);
    assert_int_equal(status_of(f, 1), 503);
    lane_start_sign_off(f->lane); /* the run is still under way: it can't */
    assert_true(lane_is_out(f->lane));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_comes_during_a_run_waits_in_order),
        TEST(test_who_waits_for_too_long_is_refused),
        TEST(test_ids_and_probes_take_turns),
        TEST(test_all_is_answered_at_the_end),
    };

    return cmocka_run_group_tests_name("lane", tests, start_server,
                                       stop_server);
}
