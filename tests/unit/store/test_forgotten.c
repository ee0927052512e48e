/*
 * test_forgotten: ids that Redis forgets before their window is sealed, because
 * its clock was ahead for a moment. A test deletes what Redis deletes then. The
 * window is reported as a gap if ids may have been counted twice, and only
 * then.
 */
#include <inttypes.h>

#include "base/util.h"
#include "closer_fixture.h"
#include "counter_fixture.h"
#include "store/dedup_strategy.h"

/* The key verve:{0}:<kind>:<window><end>; valid until the next call. */
static const char *
key_with(const char *kind, int64_t window_s, const char *end)
{
    static char key[80];

    snprintf(key, sizeof(key), "verve:{0}:%s:%" PRId64 "%s", kind, window_s,
             end);
    return key;
}

static void
forget(struct fixture *f, const char *kind, int64_t window_s, const char *end)
{
    assert_string_equal(
        redis_do(f->redis, "DEL", key_with(kind, window_s, end), NULL), "1");
}

/* Empties Redis, for a counter that remembers nothing. */
static void
begin_anew(void **state)
{
    tear_down(state);
    assert_int_equal(set_up(state), 0);
}

/* Counts the ids first to last - 1 and returns their window. */
static int64_t
count_ids(struct fixture *f, int64_t first, int64_t last)
{
    enum { BATCH = 600 }; /* may need two canaries, or three */
    struct counter_request batch[BATCH];
    int64_t window_s = 0;

    for (; first < last; first += BATCH) {
        size_t n = (size_t)int64_min(BATCH, last - first);

        for (size_t i = 0; i < n; i++) {
            batch[i] = request(first + (int64_t)i, NULL);
        }
        window_s = commit_batch(f->redis, f->counter, batch, n).start_s;
        assert_int_equal(batch[0].answer, COUNTER_COUNTED);
    }
    return window_s;
}

/* Ends a window early, and returns its record. */
static struct window_record
record_of(struct fixture *f, int64_t window_s)
{
    struct window_closer *closer = open_closer(&f->options, f->redis, 0);
    struct window_record record = {0};
    struct window_closer_sealed sealed;
    char text[24];

    assert_non_null(closer);
    snprintf(text, sizeof(text), "%" PRId64, window_s);
    redis_do(f->redis, "SET", "verve:{0}:sealed", text, NULL);
    assert_true(window_closer_seal(closer, 10, &sealed) > 0);
    assert_int_equal(
        window_closer_read(closer, window_s - 1, &record, 1, &(int64_t){0}), 1);
    assert_int_equal(record.start_s, window_s);
    window_closer_close(closer);
    return record;
}

static void
check_count(struct fixture *f, int64_t window_s, int64_t count)
{
    struct window_record record = record_of(f, window_s);

    assert_false(record.gap);
    assert_int_equal(record.count, count);
}

static void
test_nothing_is_forgotten(void **state)
{
    struct fixture *f = *state;

    count_ids(f, 0, 5000);
    check_count(f, count_ids(f, 0, 5000), 5000);
}

/*
 * If `whole` is forgotten, too, no id was counted since (test_counter), or all
 * has expired in time.
 */
static void
test_all_is_forgotten(void **state)
{
    static const char *const ends[] = {"", ":2", ":3"};
    struct fixture *f = *state;
    int64_t window_s;

    count_one(f, -1);
    window_s = count_ids(f, 0, 5000);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        redis_do(f->redis, "DEL", key_with("whole:setnx", window_s, ends[i]),
                 NULL);
    }
    redis_do(f->redis, "DEL", key_with("whole:set", window_s, ""), NULL);
    redis_do(f->redis, "DEL", key_with("sets", window_s, ""), NULL);
    redis_do(f->redis, "DEL", key_with("seen", window_s, ":s7"), NULL);
    check_count(f, window_s, 5001);
}

static int64_t
number_at(struct fixture *f, const char *command, const char *key)
{
    return strtoll(redis_do(f->redis, command, key, NULL), NULL, 10);
}

/* With every 256 ids there is a canary, and it expires when `whole` does. */
static void
test_canaries(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, -1);
    const char *whole = "whole:setnx";
    int64_t end_s = number_at(f, "EXPIRETIME", key_with(whole, window_s, ""));

    assert_int_equal(end_s, window_s + 2 * HOUR_S);
    count_ids(f, 0, 254);
    assert_int_equal(number_at(f, "GET", key_with(whole, window_s, "")), 1);
    count_one(f, 254);
    assert_int_equal(number_at(f, "GET", key_with(whole, window_s, "")), 2);
    count_ids(f, 0, 300); /* of which 255 are known */
    assert_int_equal(number_at(f, "GET", key_with(whole, window_s, "")), 2);
    count_ids(f, 300, 900); /* up to 901, past 512 and 768 */
    assert_int_equal(number_at(f, "GET", key_with(whole, window_s, "")), 4);
    for (int n = 1; n <= 4; n++) {
        char end[8] = "";

        if (n > 1) {
            snprintf(end, sizeof(end), ":%d", n);
        }
        assert_int_equal(
            number_at(f, "EXPIRETIME", key_with(whole, window_s, end)), end_s);
    }
    assert_int_equal(number_at(f, "EXISTS", key_with(whole, window_s, ":5")),
                     0);
}

static const struct redis_script sets_run = {
    .name = "sets_run",
    .sha1 = "b5ad0f08f5d41b0ac6d8dc1a8ede2cdd08aa6edf",
    .body = "return string.match(redis.call('INFO', 'commandstats'),\n"
            "    'cmdstat_set:calls=(%d+)')\n",
};

/* How often SET was run. */
static int64_t
count_sets_run(struct fixture *f)
{
    const struct redis_reply *reply;
    int64_t times = 0;

    redis_call(f->redis, &sets_run);
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(reply, &times));
    return times;
}

static void
test_a_batch_without_a_canary_costs_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    count_one(f, -1);
    before = count_sets_run(f);
    count_ids(f, 0, 128);
    assert_int_equal(count_sets_run(f), before + 128);
}

static void
test_a_forgotten_canary_makes_a_gap(void **state)
{
    static const char *const ends[] = {":2", ":11", ":20"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        int64_t window_s;

        begin_anew(state);
        count_one(f, -1);
        window_s = count_ids(f, 0, 5000);
        forget(f, "whole:setnx", window_s, ends[i]);
        assert_true(record_of(f, window_s).gap);
    }
}

/* They write `whole` and no canary, before and after those of this version. */
static void
test_responders_of_an_older_version(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, -1);
    const char *count = key_of("count", window_s);

    redis_do(f->redis, "INCRBY", count, "1000", NULL);
    count_ids(f, 0, 600);
    redis_do(f->redis, "INCRBY", count, "1000", NULL);
    check_count(f, window_s, 2601);
}

static const struct redis_script fill_canaries = {
    .name = "fill_canaries",
    .sha1 = "daafda39794aa4acb2c3f82fccf98b6be8df6cf6",
    .body = "for n = ARGV[2], ARGV[3] do\n"
            "    redis.call('SET', ARGV[1] .. n, '1')\n"
            "end\n",
};

static const struct redis_script fill_sets = {
    .name = "fill_sets",
    .sha1 = "3de3f00830e5266c3822711fa76edf301f6d7397",
    .body = "for n = ARGV[2], ARGV[3] do\n"
            "    redis.call('SADD', ARGV[1] .. n, n)\n"
            "    redis.call('EXPIRE', ARGV[1] .. n, 9000)\n"
            "end\n",
};

/* Makes the keys that consist of a stem and a number, first to last. */
static void
fill(struct fixture *f, const struct redis_script *script, const char *stem,
     int64_t first, int64_t last)
{
    enum { PIECE = 2000 }; /* a script has a limit of time */

    for (; first <= last; first += PIECE) {
        struct command *call = redis_call(f->redis, script);
        const struct redis_reply *reply;

        redis_arg(call, stem, strlen(stem));
        redis_arg_int(call, first);
        redis_arg_int(call, int64_min(first + PIECE - 1, last));
        assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    }
}

/* Ten million ids have that many canaries; a sample of them is looked at. */
static void
test_very_many_canaries(void **state)
{
    enum { CANARIES = 39000 };
    struct fixture *f = *state;

    for (int forgotten = 0; forgotten <= 1; forgotten++) {
        int64_t window_s;

        begin_anew(state);
        window_s = count_one(f, -1);
        fill(f, &fill_canaries, key_with("whole:setnx", window_s, ":"), 2,
             CANARIES - forgotten * 100);
        redis_do(f->redis, "SET", key_with("whole:setnx", window_s, ""),
                 "39000", NULL);
        assert_int_equal(record_of(f, window_s).gap, forgotten);
    }
}

/* Its ids are counted again, and make the set anew. */
static void
test_a_forgotten_set_makes_a_gap(void **state)
{
    struct fixture *f = *state;

    for (int64_t ids = 5; ids <= 20000; ids += 19995) {
        int64_t window_s, least, most;
        char end[8];

        begin_anew(state);
        window_s = count_ids(f, 0, ids);
        snprintf(end, sizeof(end), ":s%d", (int)dedup_strategy_set(3, 1024));
        forget(f, "seen", window_s, end);
        count_ids(f, 0, ids);
        assert_in_range(count_of(f, window_s), ids + 1, ids + 512);
        assert_true(record_of(f, window_s).gap);
        /* If all sets had been made before, it would never expire. */
        ttls_of(f, "verve:{0}:seen:*", &least, &most);
        assert_in_range(least, 2 * HOUR_S - 60, 2 * HOUR_S);
    }
}

/* Nothing is counted twice then, until a batch decides on the sets again. */
static void
test_the_number_of_sets_is_forgotten(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_ids(f, 0, 5000);

    forget(f, "sets", window_s, "");
    forget(f, "seen", window_s, ":s7");
    check_count(f, window_s, 5000);
}

static void
test_the_number_of_sets_is_forgotten_and_decided_again(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_ids(f, 0, 5000);

    forget(f, "sets", window_s, "");
    count_ids(f, 0, 5000);
    assert_int_equal(count_of(f, window_s), 5000);
    forget(f, "seen", window_s, ":s7");
    forget(f, "sets", window_s, "");
    count_ids(f, 0, 5000);
    assert_true(count_of(f, window_s) > 5000);
    assert_true(record_of(f, window_s).gap);
}

/* Ten million ids have that many sets; a sample of them is looked at. */
static void
test_very_many_sets(void **state)
{
    enum { SETS = 39000 };
    static const char *const changes[] = {NULL, "DEL", "PERSIST"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        int64_t window_s;

        begin_anew(state);
        window_s = count_one(f, -1);
        fill(f, &fill_sets, key_with("seen", window_s, ":s"), 0, SETS - 1);
        redis_do(f->redis, "HSET", key_with("sets", window_s, ""), "sets",
                 "39000", "made", "39000", NULL);
        for (int n = 20000; changes[i] != NULL && n < 20100; n++) {
            char end[8];

            snprintf(end, sizeof(end), ":s%d", n);
            redis_do(f->redis, changes[i], key_with("seen", window_s, end),
                     NULL);
        }
        assert_int_equal(record_of(f, window_s).gap, changes[i] != NULL);
    }
}

/* A HyperLogLog is one key, and its loss is noticed before the next count. */
static void
test_a_forgotten_hyperloglog_ends_the_window(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_ids(f, 0, 5000);
    long long count = count_of(f, window_s);

    forget(f, "seen", window_s, "");
    assert_int_equal(count_one(f, 1), window_s + HOUR_S);
    assert_int_equal(count_of(f, window_s), count);
    assert_int_equal(count_of(f, window_s + HOUR_S), 1);
    check_count(f, window_s, count);
}

int
main(void)
{
    const struct CMUnitTest setnx[] = {
        TEST(test_nothing_is_forgotten),
        TEST(test_all_is_forgotten),
        TEST(test_canaries),
        TEST(test_a_batch_without_a_canary_costs_nothing),
        TEST(test_a_forgotten_canary_makes_a_gap),
        TEST(test_responders_of_an_older_version),
        TEST(test_very_many_canaries),
    };
    const struct CMUnitTest set[] = {
        TEST(test_nothing_is_forgotten),
        TEST(test_all_is_forgotten),
        TEST(test_a_forgotten_set_makes_a_gap),
        TEST(test_the_number_of_sets_is_forgotten),
        TEST(test_the_number_of_sets_is_forgotten_and_decided_again),
        TEST(test_very_many_sets),
    };
    const struct CMUnitTest hll[] = {
        TEST(test_a_forgotten_hyperloglog_ends_the_window),
    };
    int failed;

    strategy = DEDUP_SETNX;
    failed =
        cmocka_run_group_tests_name("setnx", setnx, start_server, stop_server);
    strategy = DEDUP_SET;
    failed +=
        cmocka_run_group_tests_name("set", set, start_server, stop_server);
    strategy = DEDUP_HLL;
    failed +=
        cmocka_run_group_tests_name("hll", hll, start_server, stop_server);
    return failed;
}
