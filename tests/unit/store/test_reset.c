/*
 * test_reset: responders and reporters after Redis's data was reset or Redis
 * was restarted. What they remember is written at once, no more often than it
 * has to be, and without holding Redis up.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "closer_fixture.h"
#include "counter_fixture.h"
#include "store/schema.h"

/* Waits until the counter has something to do without a request. */
static void
await_idle(struct counter *counter)
{
    int64_t left_ms;

    while ((left_ms = counter_idle_ms(counter)) != 0) {
        assert_in_range(left_ms, 1, 1000);
        usleep((useconds_t)left_ms * 1000);
    }
}

static const char *
lost_windows(struct fixture *f)
{
    return redis_do(f->redis, "ZCARD", "verve:{0}:lost", NULL);
}

/* The first try without a request both agrees and confirms. */
static void
test_a_quiet_responder_confirms_at_once(void **state)
{
    struct fixture *f = *state;
    struct marks_loss loss;

    count_one(f, 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    await_idle(f->counter);
    commit_batch(f->redis, f->counter, NULL, 0);
    assert_string_equal(lost_windows(f), "1");
    assert_true(counter_take_loss(f->counter, &loss));
    assert_int_equal(loss.lost, 1);
}

/* A responder that ends tells what it remembers, also to new data. */
static void
test_the_end_of_a_responder(void **state)
{
    struct fixture *f = *state;
    struct marks_loss loss;

    count_one(f, 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    finish_run(f->redis, f->counter, counter_start_sign_off(f->counter));
    assert_string_equal(lost_windows(f), "1");
    assert_true(counter_take_loss(f->counter, &loss));
    assert_string_equal(redis_do(f->redis, "EXISTS", "verve:{0}:marks", NULL),
                        "0");
}

/*
 * Redis's clock was ahead, and new data begins after it stepped back. Windows
 * that are over, as the responder knows, are gaps there: others may have
 * recorded them with ids.
 */
static void
test_windows_that_were_over_before_the_data_began(void **state)
{
    struct fixture *f = *state;
    struct marks_loss loss;
    char text[24];
    int64_t window_s = count_one(f, 1);

    snprintf(text, sizeof(text), "%" PRId64, window_s + 3 * HOUR_S);
    redis_do(f->redis, "SET", "verve:{0}:sealed", text, NULL);
    assert_int_equal(count_one(f, 2), window_s + 4 * HOUR_S);
    redis_do(f->redis, "FLUSHALL", NULL);
    await_idle(f->counter);
    commit_batch(f->redis, f->counter, NULL, 0);
    assert_string_equal(lost_windows(f), "5");
    assert_true(counter_take_loss(f->counter, &loss));
    assert_int_equal(loss.lost, 5);
}

/* If the new data follows another schema, it is asked once a second. */
static void
test_a_refusal_is_no_reason_to_hurry(void **state)
{
    struct fixture *f = *state;
    int64_t end_ms = clock_mono_ms() + 2500;
    int tries = 0;

    count_one(f, 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    redis_do(f->redis, "HSET", "verve:{0}:meta", "version", "1", NULL);
    while (clock_mono_ms() < end_ms) {
        await_idle(f->counter);
        commit_batch(f->redis, f->counter, NULL, 0);
        tries++;
    }
    assert_in_range(tries, 1, 4);
}

static int64_t
zadd_calls(struct fixture *f)
{
    static const struct redis_script calls = {
        .name = "calls",
        .sha1 = "8926de7ef0f4a8eff7e75c3bd6790012abca5b8a",
        .body = "local calls = 'cmdstat_zadd:calls=(%d+)'\n"
                "local info = redis.call('INFO', 'commandstats')\n"
                "return tonumber(string.match(info, calls) or 0)\n",
    };
    const struct redis_reply *reply;
    int64_t count = 0;

    redis_call(f->redis, &calls);
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(reply, &count));
    return count;
}

static void
add_unconfirmed(struct fixture *f, int number, int64_t window_s)
{
    char name[24], mark[40];

    snprintf(name, sizeof(name), "responder%d", number);
    snprintf(mark, sizeof(mark), "1 %" PRId64, window_s);
    redis_do(f->redis, "HSET", "verve:{0}:unconfirmed", name, mark, NULL);
}

/*
 * The windows of many responders that did not come back are written once, not
 * once for each of them.
 */
static void
test_many_responders_that_do_not_come_back(void **state)
{
    enum { RESPONDERS = 50, WINDOWS = 1000 };
    struct fixture *f = *state;
    int64_t first_s = (int64_t)time(NULL) - WINDOWS;
    struct window_closer *closer = open_closer(&f->options, f->redis, 0);
    struct window_closer_sealed sealed;
    char born[SCHEMA_BORN_SIZE], text[24];
    int64_t calls;

    f->options.window.seconds = 1;
    assert_int_equal(schema_agree(&f->options, f->redis, born), REDIS_DONE);
    snprintf(text, sizeof(text), "%" PRId64, first_s);
    redis_do(f->redis, "SET", "verve:{0}:born", text, NULL);
    snprintf(text, sizeof(text), "%" PRId64, first_s + WINDOWS - 10);
    redis_do(f->redis, "HSET", "verve:{0}:run", "at", text, NULL);
    for (int i = 0; i < RESPONDERS; i++) {
        add_unconfirmed(f, i, first_s + 10 + i);
    }
    calls = zadd_calls(f);
    assert_true(window_closer_seal(closer, 1, &sealed) >= 0);
    snprintf(text, sizeof(text), "%d", WINDOWS - 19);
    assert_string_equal(lost_windows(f), text);
    assert_int_equal(zadd_calls(f) - calls, WINDOWS - 19);
    window_closer_close(closer);
}

/* Seals windows until none waits, and returns how many became gaps. */
static size_t
seal_all(struct window_closer *closer)
{
    struct window_closer_sealed sealed;
    size_t gaps = 0;
    int64_t left_ms;

    do {
        left_ms = window_closer_seal(closer, WINDOW_CLOSER_MOST, &sealed);
        assert_true(left_ms >= 0);
        gaps += sealed.gaps;
    } while (left_ms == 0);
    return gaps;
}

/*
 * A replica takes over that has all counts, but not the records of the windows
 * that were closed last, which were many. They are recorded again.
 */
static void
test_many_records_are_gone_but_no_count(void **state)
{
    enum { WINDOWS = 100 };
    struct fixture *f = *state;
    int64_t first_s = (int64_t)time(NULL) - WINDOWS;
    struct window_closer *closer = open_closer(&f->options, f->redis, 0);
    char born[SCHEMA_BORN_SIZE], text[24];

    f->options.window.seconds = 1;
    assert_int_equal(schema_agree(&f->options, f->redis, born), REDIS_DONE);
    snprintf(text, sizeof(text), "%" PRId64, first_s);
    redis_do(f->redis, "SET", "verve:{0}:born", text, NULL);
    for (int i = 0; i < WINDOWS; i++) {
        redis_do(f->redis, "SET", key_of("count", first_s + i), "5", NULL);
    }
    assert_int_equal(seal_all(closer), 0);
    redis_do(f->redis, "SET", "verve:{0}:recorded", text, NULL);
    redis_do(f->redis, "DEL", "verve:windows", NULL);
    snprintf(text, sizeof(text), "%" PRId64 "-0", first_s);
    redis_do(f->redis, "XADD", "verve:windows", text, "count", "5", "late", "1",
             "gap", "0", "seconds", "1", NULL);
    assert_int_equal(seal_all(closer), 0);
    assert_true(strtol(redis_do(f->redis, "XLEN", "verve:windows", NULL), NULL,
                       10) >= WINDOWS);
    window_closer_close(closer);
}

/* The record of a gap is gone: it becomes a gap again, and the next does not.
 */
static void
test_the_record_of_a_gap_is_gone(void **state)
{
    struct fixture *f = *state;
    int64_t first_s = (int64_t)time(NULL) - 20;
    struct window_closer *closer = open_closer(&f->options, f->redis, 0);
    char born[SCHEMA_BORN_SIZE], text[24];
    struct window_closer_sealed sealed;

    f->options.window.seconds = 1;
    assert_int_equal(schema_agree(&f->options, f->redis, born), REDIS_DONE);
    snprintf(text, sizeof(text), "%" PRId64, first_s);
    redis_do(f->redis, "SET", "verve:{0}:born", text, NULL);
    for (int i = 0; i < 10; i++) {
        redis_do(f->redis, "SET", key_of("count", first_s + i), "5", NULL);
    }
    snprintf(text, sizeof(text), "%" PRId64, first_s + 3);
    redis_do(f->redis, "ZADD", "verve:{0}:lost", text, text, NULL);
    assert_int_equal(window_closer_seal(closer, 4, &sealed), 0);
    assert_int_equal(sealed.gaps, 1);

    redis_do(f->redis, "DEL", "verve:windows", NULL);
    snprintf(text, sizeof(text), "%" PRId64 "-0", first_s + 2);
    redis_do(f->redis, "XADD", "verve:windows", text, "count", "5", "late", "1",
             "gap", "0", "seconds", "1", NULL);
    assert_int_equal(seal_all(closer), 1);
    window_closer_close(closer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_quiet_responder_confirms_at_once),
        TEST(test_the_end_of_a_responder),
        TEST(test_windows_that_were_over_before_the_data_began),
        TEST(test_a_refusal_is_no_reason_to_hurry),
        TEST(test_many_responders_that_do_not_come_back),
        TEST(test_many_records_are_gone_but_no_count),
        TEST(test_the_record_of_a_gap_is_gone),
    };

    return cmocka_run_group_tests_name("reset", tests, start_server,
                                       stop_server);
}
