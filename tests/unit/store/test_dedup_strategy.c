/*
 * test_dedup_strategy: what only one strategy does. test_counter checks that
 * all strategies count alike.
 */
#include "counter_fixture.h"
#include "store/dedup_strategy.h"

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

/* Counts `ids` ids (0, step, 2 x step, ...) and returns their window. */
static int64_t
count_many(struct fixture *f, int64_t ids, int64_t step)
{
    enum { BATCH = 1024 }; /* larger than usual: faster */
    struct counter_request batch[BATCH];
    int64_t window_s = 0;

    for (int64_t id = 0; id < ids; id += BATCH) {
        size_t n = 0;

        for (; n < BATCH && id + (int64_t)n < ids; n++) {
            batch[n] = request((id + (int64_t)n) * step, NULL);
        }
        window_s = commit_batch(f->redis, f->counter, batch, n).start_s;
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

/* Ids 0, step, 2 x step, ...: regular ids, which must spread evenly. */
static const int64_t steps[] = {1, 1024, 2000, (int64_t)1 << 40};

enum { SETS = 2000, IDS_PER_SET = 256, INTSET_MOST = 512 };

/* With 256 ids per set on average, every set gets ids, and none over 512. */
static void
test_ids_spread_evenly_over_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t sizes[SETS] = {0};

        for (int64_t n = 0; n < (int64_t)SETS * IDS_PER_SET; n++) {
            int64_t set = dedup_strategy_set(n * steps[i], SETS);

            assert_in_range(set, 0, SETS - 1);
            sizes[set]++;
        }
        for (size_t set = 0; set < SETS; set++) {
            assert_in_range(sizes[set], 1, INTSET_MOST);
        }
    }
}

/*
 * A set with as many ids as test_ids_spread_evenly_over_sets allows is still an
 * intset in Redis, for ids of 64 bits, too.
 */
static void
test_full_set_is_an_intset(void **state)
{
    struct fixture *f = *state;

    for (int64_t n = 0; n < INTSET_MOST; n++) {
        char id[24];

        snprintf(id, sizeof(id), "%lld", (long long)(INT64_MAX - n));
        redis_do(f->redis, "SADD", "verve:{0}:seen:1:s1", id, NULL);
    }
    assert_int_equal(count_odd_sets(f), 0);
    redis_do(f->redis, "SADD", "verve:{0}:seen:1:s1", "1", NULL);
    assert_int_equal(count_odd_sets(f), 1);
}

/* True if id is in the set that dedup_strategy_set says. */
static bool
is_in_its_set(struct fixture *f, int64_t window_s, int64_t id)
{
    char key[64], text[24];

    snprintf(key, sizeof(key), "verve:{0}:seen:%lld:s%lld", (long long)window_s,
             (long long)dedup_strategy_set(id, SETS));
    snprintf(text, sizeof(text), "%lld", (long long)id);
    return redis_do(f->redis, "SISMEMBER", key, text, NULL)[0] == '1';
}

/*
 * A window has as many sets as the count of the window before asks for; ids are
 * in the right sets; and all sets are made, counted in `made`, and intsets. The
 * ids are enough for each set to get one: how many more a set gets is tested
 * above.
 */
static void
test_sets_are_many_and_small(void **state)
{
    enum { IDS = 12 * SETS };
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 0);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        redis_do(f->redis, "FLUSHALL", NULL);
        redis_do(f->redis, "SET", key_of("count", window_s - HOUR_S), "511999",
                 NULL);
        assert_int_equal(count_many(f, IDS, steps[i]), window_s);
        assert_int_equal(count_of(f, window_s), IDS);
        assert_int_equal(field(f, key_of("sets", window_s), "sets"), SETS);
        assert_int_equal(field(f, key_of("sets", window_s), "made"), SETS);
        assert_int_equal(count_odd_sets(f), 0);
        for (int64_t n = 0; n < IDS; n += IDS / 100) {
            assert_true(is_in_its_set(f, window_s, n * steps[i]));
        }
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

/* A counter that believes in another number of sets is corrected. */
static void
test_all_agree_on_the_number_of_sets(void **state)
{
    struct fixture *f = *state;
    struct counter *other = counter_open(&f->options, f->redis);
    struct counter_request one = request(5, NULL);
    int64_t window_s = count_one(f, 5);

    assert_int_equal(commit_batch(f->redis, other, &one, 1).start_s, window_s);
    assert_int_equal(count_of(f, window_s), 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    redis_do(f->redis, "SET", key_of("count", window_s - HOUR_S), "1000000",
             NULL);
    commit_batch(f->redis, other, &one, 1);
    count_one(f, 5);
    assert_int_equal(count_of(f, window_s), 1);
    assert_int_equal(field(f, key_of("sets", window_s), "sets"), 3907);
    counter_close(other);
}

/* If the number of sets is nonsense, it is decided again. */
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

/* If a set's key is not a set, the ids before it are counted all the same. */
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
    assert_int_equal(commit_batch(f->redis, f->counter, batch, 64).start_s, 0);
    assert_int_equal(batch[0].answer, COUNTER_UNAVAILABLE);
    before = count_of(f, window_s);
    assert_in_range(before, 2, 63);
    assert_int_equal(
        strtoll(redis_do(f->redis, "LLEN", LIST_OF_H, NULL), NULL, 10),
        before - 1);
}

/*
 * One standard error is 0.81 % (Flajolet et al.); the bounds are four of them.
 */
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
        cmocka_unit_test(test_ids_spread_evenly_over_sets),
        TEST(test_full_set_is_an_intset),
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
