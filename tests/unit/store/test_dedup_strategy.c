/*
 * dedup: what only one strategy has. That all count alike is in test_tally.
 */
#include "counter_fixture.h"

static const struct redis_script not_intsets = {
    .name = "not_intsets",
    .sha1 = "7d4628041ad23e34e34bdb7172dffde3df1a4390",
    .body = "local others = 0\n"
            "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do\n"
            "    if redis.call('OBJECT', 'ENCODING', key) ~= 'intset' then\n"
            "        others = others + 1\n"
            "    end\n"
            "end\n"
            "return others\n",
};

static int64_t
field(struct fixture *f, const char *key, const char *name)
{
    return strtoll(redis_do(f->redis, "HGET", key, name, NULL), NULL, 10);
}

/* Counts ids 0, step, 2 x step, ...; returns their window. */
static int64_t
count_many(struct fixture *f, int64_t ids, int64_t step)
{
    enum { BATCH = 128 };
    struct counter_request batch[BATCH];
    int64_t window_s = 0;

    for (int64_t id = 0; id < ids; id += BATCH) {
        size_t n = 0;

        for (; n < BATCH && id + (int64_t)n < ids; n++) {
            batch[n] = request((id + (int64_t)n) * step, NULL);
        }
        window_s = counter_commit(f->counter, batch, n).start_s;
        assert_int_equal(batch[0].answer, COUNTER_COUNTED);
    }
    return window_s;
}

static long long
count_odd_sets(struct fixture *f)
{
    static const char pattern[] = "verve:{0}:seen:*";
    struct command *call = redis_call(f->redis, &not_intsets);
    const struct redis_reply *reply;
    int64_t odd;

    redis_arg(call, pattern, strlen(pattern));
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(reply, &odd));
    return odd;
}

/* As many sets as the window before asks for, and all of them arrays. */
static void
test_sets_are_many_and_small(void **state)
{
    static const int64_t steps[] = {1, 1024, 2000, (int64_t)1 << 40};
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 0);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        redis_do(f->redis, "FLUSHALL", NULL);
        redis_do(f->redis, "SET", key_of("count", window_s - HOUR_S), "511999",
                 NULL);
        assert_int_equal(count_many(f, 512000, steps[i]), window_s);
        assert_int_equal(count_of(f, window_s), 512000);
        assert_int_equal(field(f, key_of("sets", window_s), "sets"), 2000);
        assert_int_equal(field(f, key_of("sets", window_s), "made"), 2000);
        assert_int_equal(count_odd_sets(f), 0);
    }
}

static void
test_each_set_gets_its_time_to_live(void **state)
{
    struct fixture *f = *state;
    int64_t least, most;
    int64_t window_s = count_many(f, 3000, 7);
    int64_t made = field(f, key_of("sets", window_s), "made");

    assert_in_range(made, 900, 1024);
    ttls_of(f, "verve:{0}:seen:*", &least, &most);
    assert_in_range(least, 2 * HOUR_S - 5, 2 * HOUR_S);
    count_many(f, 30000, 7);
    assert_int_equal(field(f, key_of("sets", window_s), "made"), 1024);
    ttls_of(f, "verve:{0}:seen:*", &least, &most);
    assert_in_range(least, 2 * HOUR_S - 10, 2 * HOUR_S);
}

/* One that believes in another number of sets is told, and counts right. */
static void
test_all_agree_on_the_number_of_sets(void **state)
{
    struct fixture *f = *state;
    struct counter *other = counter_open(&f->options, f->redis);
    struct counter_request one = request(5, NULL);
    int64_t window_s = count_one(f, 5);

    assert_int_equal(counter_commit(other, &one, 1).start_s, window_s);
    assert_int_equal(count_of(f, window_s), 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    redis_do(f->redis, "SET", key_of("count", window_s - HOUR_S), "1000000",
             NULL);
    counter_commit(other, &one, 1);
    count_one(f, 5);
    assert_int_equal(count_of(f, window_s), 1);
    assert_int_equal(field(f, key_of("sets", window_s), "sets"), 3907);
    counter_close(other);
}

/* A number of sets that can't be: it is decided anew. */
static void
test_nonsense_for_the_number_of_sets(void **state)
{
    static const char *const numbers[] = {"0", "-3", "1.5", "many", ""};
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        redis_do(f->redis, "HSET", key_of("sets", window_s), "sets", numbers[i],
                 NULL);
        count_one(f, 10 + (int64_t)i);
        assert_int_equal(count_of(f, window_s), 2 + i);
        assert_int_equal(field(f, key_of("sets", window_s), "sets"), 1024);
    }
}

/* A set that is none: what was added before is counted, nothing is said. */
static void
test_a_broken_set_leaves_no_id_uncounted(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[64];
    int64_t window_s = count_one(f, -1);
    char key[64];
    long long before;

    /* One set in sixteen. */
    for (int set = 0; set < 1024; set++) {
        snprintf(key, sizeof(key), "verve:{0}:seen:%lld:s%d",
                 (long long)window_s, set);
        if (set % 16 == 1) {
            redis_do(f->redis, "SETNX", key, "x", NULL);
        }
    }
    for (size_t i = 0; i < 64; i++) {
        batch[i] = request((int64_t)i, "http://h/");
    }
    assert_int_equal(counter_commit(f->counter, batch, 64).start_s, 0);
    assert_int_equal(batch[0].answer, COUNTER_UNAVAILABLE);
    before = count_of(f, window_s);
    assert_in_range(before, 2, 63);
    assert_int_equal(
        strtoll(redis_do(f->redis, "LLEN", "verve:{0}:callbacks", NULL), NULL,
                10),
        before - 1);
}

/* 0.81 % is one standard error (Flajolet et al.); four of them never occur. */
static void
test_hll_is_nearly_right(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_many(f, 100000, 3);
    long long count = count_of(f, window_s);

    assert_in_range(count, 96700, 103300);
    count_many(f, 100000, 3);
    assert_int_equal(count_of(f, window_s), count);
    assert_in_range(
        strtoll(redis_do(f->redis, "STRLEN", key_of("seen", window_s), NULL),
                NULL, 10),
        1, 13000);
}

int
main(void)
{
    const struct CMUnitTest set[] = {
        TEST(test_sets_are_many_and_small),
        TEST(test_each_set_gets_its_time_to_live),
        TEST(test_all_agree_on_the_number_of_sets),
        TEST(test_nonsense_for_the_number_of_sets),
        TEST(test_a_broken_set_leaves_no_id_uncounted),
    };
    const struct CMUnitTest hll[] = {
        TEST(test_hll_is_nearly_right),
    };
    int failed;

    strategy = DEDUP_SET;
    failed = cmocka_run_group_tests_name("set", set, start_server, stop_server);
    strategy = DEDUP_HLL;
    failed +=
        cmocka_run_group_tests_name("hll", hll, start_server, stop_server);
    return failed;
}
