/*
 * test_shard_counters: several shards count in the windows of shard 0, whatever
 * the clock of their own Redis says, and tell callbacks of one another.
 */
#include "base/clock.h"
#include "shards_fixture.h"

/* The list of http://h:80 in a shard. */
#define LIST_OF_H "callbacks:9e6d9cc1b800d0c67a9d5057e3b0e34a"

/* The job that was queued last in a shard for http://h. */
static const char *
last_job(struct fixture *f, int shard)
{
    char key[96];

    snprintf(key, sizeof(key), "verve:{%lld}:" LIST_OF_H,
             (long long)f->views[shard].redis.tag);
    return redis_do(f->redis[0], "LINDEX", key, "-1", NULL);
}

/* Counts an id with an endpoint; returns the count that its job is told. */
static int64_t
count_with_job(struct fixture *f, int shard, int64_t id)
{
    struct counter_request one = request(id, "http://h/");
    const char *told;

    count_in(f, shard, f->counters[shard], &one, 1);
    assert_int_equal(one.answer, COUNTER_COUNTED);
    told = strstr(last_job(f, shard), "\"count\":");
    assert_non_null(told);
    return strtoll(told + strlen("\"count\":"), NULL, 10);
}

static void
test_a_window_is_known_from_shard_0_only(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);

    assert_int_equal(counter_state(f->counters[1]), COUNTER_WAITS);
    count_in(f, 1, f->counters[1], &one, 1);
    assert_int_equal(one.answer, COUNTER_UNAVAILABLE);
    assert_int_equal(counter_idle_ms(f->counters[1]), -1);

    assert_int_equal(counter_idle_ms(f->counters[0]), 0);
    count_in(f, 0, f->counters[0], NULL, 0);
    assert_int_equal(counter_state(f->counters[1]), COUNTER_READY);
    assert_int_equal(counter_idle_ms(f->counters[1]), 0);
    assert_int_equal(count_one(f, 1, 1) % HOUR_S, 0);
}

static void
test_a_batch_of_shard_0_tells_the_window(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 0, 1);

    assert_int_equal(count_one(f, 1, 2), window_s);
    assert_int_equal(count_one(f, 2, 3), window_s);
    assert_int_equal(count_one(f, 2, 3), window_s);
    assert_int_equal(count_one(f, 2, 4), window_s);
}

static void
test_callbacks_are_told_of_other_shards(void **state)
{
    struct fixture *f = *state;
    int64_t id = id_of(0, 0);

    hear(f);
    assert_int_equal(count_with_job(f, 0, id), 1);
    assert_int_equal(count_with_job(f, 0, id_of(0, id)), 2);
    /* Shard 0 was heard of before it counted. */
    assert_int_equal(count_with_job(f, 1, id_of(1, 0)), 1);
    hear(f);
    assert_int_equal(count_with_job(f, 2, id_of(2, 0)), 4);
    assert_int_equal(count_with_job(f, 2, id_of(2, 0)), 4);
    assert_int_equal(count_with_job(f, 1, id_of(1, 0)), 3);
}

/* Makes the responder believe that shard 0 has another clock. */
static int64_t
shift_clock(struct fixture *f, int64_t windows)
{
    int64_t window_s = time(NULL) / HOUR_S * HOUR_S + windows * HOUR_S;

    shard_news_hear_window(f->news, window_s, HOUR_S * 1000, clock_mono_ms());
    return window_s;
}

/* The keys live for two windows from the first id on, whatever the clock. */
static void
test_the_clock_of_the_shard_is_ahead(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = shift_clock(f, -5);
    static const struct redis_script ttls = {
        .name = "ttls",
        .sha1 = "9633e073742401fddf62505edda28481312bba6a",
        .body = "local least = math.huge\n"
                "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do\n"
                "    least = math.min(least, redis.call('TTL', key))\n"
                "end\n"
                "return least\n",
    };
    static const char *const patterns[] = {"*:whole:*", "*:seen:*"};
    const struct redis_reply *reply;
    int64_t ttl;

    for (int id = 0; id < 600; id++) {
        assert_int_equal(count_one(f, 1, id), window_s);
    }
    for (size_t i = 0; i < 2; i++) {
        struct command *call = redis_call(f->redis[1], &ttls);

        redis_arg(call, patterns[i], strlen(patterns[i]));
        assert_int_equal(redis_run(f->redis[1], &reply), REDIS_DONE);
        assert_true(redis_reply_int(reply, &ttl));
        assert_in_range(ttl, 2 * HOUR_S - 60, 2 * HOUR_S);
    }
}

/* A window that the clock of shard 0 has not reached yet closes all before. */
static void
test_the_shard_goes_forward_only(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = shift_clock(f, -5);
    char before[32];

    assert_int_equal(count_one(f, 1, 1), window_s);
    snprintf(before, sizeof(before), "%lld", (long long)(window_s - HOUR_S));
    assert_string_equal(value_of(f, 1, "sealed"), before);
    assert_int_equal(shift_clock(f, -4), window_s + HOUR_S);
    assert_int_equal(count_one(f, 1, 1), window_s + HOUR_S);
    shift_clock(f, -5);
    assert_int_equal(count_one(f, 1, 2), window_s + HOUR_S);
    assert_int_equal(count_one(f, 2, 3), window_s);
}

/* Another responder, or a reporter, has heard of a later window first. */
static void
test_the_shard_is_ahead_of_the_responder(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = shift_clock(f, -5);
    struct counter_request one = request(1, NULL);
    struct counter_window window;
    char sealed[32], key[64];

    snprintf(key, sizeof(key), "verve:{%lld}:sealed",
             (long long)f->views[1].redis.tag);
    snprintf(sealed, sizeof(sealed), "%lld", (long long)window_s);
    redis_do(f->redis[1], "SET", key, sealed, NULL);
    window = count_in(f, 1, f->counters[1], &one, 1);
    assert_int_equal(window.start_s, window_s + HOUR_S);
}

static void
test_a_window_far_ahead_is_refused(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);

    shift_clock(f, 2);
    count_in(f, 1, f->counters[1], &one, 1);
    assert_int_equal(one.answer, COUNTER_UNAVAILABLE);
    assert_true(counter_was_refused(f->counters[1]));
    assert_non_null(strstr(redis_error(f->redis[1]), "ahead"));
    assert_string_equal(value_of(f, 1, "sealed"), "");
}

/* A responder reckons on while shard 0 is away; the ids of a window that may
   be over by its clock are not answered from memory. */
static void
test_time_passes_without_shard_0(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = time(NULL) / HOUR_S * HOUR_S - HOUR_S;
    struct counter_request one = request(1, NULL);
    struct counter_window window;

    shard_news_hear_window(f->news, window_s, 100, clock_mono_ms() - 90);
    window = count_in(f, 1, f->counters[1], &one, 1);
    assert_int_equal(window.start_s, window_s);
    assert_true(window.until_ms <= clock_mono_ms() + 10);
    usleep(101 * 1000);
    assert_int_equal(count_one(f, 1, 1), window_s + HOUR_S);
}

static void
test_a_probe_in_steps(void **state)
{
    struct fixture *f = *state;
    bool under_way = counter_start_probe(f->counters[2]);

    assert_true(under_way);
    while (under_way) {
        redis_await(f->redis[2]);
        under_way = counter_step(f->counters[2]);
    }
    assert_int_equal(counter_probed(f->counters[2]).fault, PROBE_READY);
}

/* Else a responder would ask again and again, as fast as Redis answers. */
static void
test_a_schema_that_is_refused_is_not_compared_at_once(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(id_of(1, 0), NULL);
    char born[96];

    hear(f);
    snprintf(born, sizeof(born), "verve:{%lld}:born",
             (long long)f->views[1].redis.tag);
    redis_do(f->redis[0], "SET", born, "no time", NULL);
    count_in(f, 1, f->counters[1], &one, 1);
    assert_int_equal(one.answer, COUNTER_UNAVAILABLE);
    for (int i = 0; i < 2; i++) {
        while (counter_idle_ms(f->counters[1]) > 0) {
            usleep((useconds_t)counter_idle_ms(f->counters[1]) * 1000);
        }
        count_in(f, 1, f->counters[1], NULL, 0);
        assert_true(counter_was_refused(f->counters[1]));
        assert_true(counter_idle_ms(f->counters[1]) > 0);
    }
}

static int
run_with(enum dedup_kind kind, const char *name)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_window_is_known_from_shard_0_only),
        TEST(test_a_batch_of_shard_0_tells_the_window),
        TEST(test_callbacks_are_told_of_other_shards),
        TEST(test_the_clock_of_the_shard_is_ahead),
        TEST(test_the_shard_goes_forward_only),
        TEST(test_the_shard_is_ahead_of_the_responder),
        TEST(test_a_window_far_ahead_is_refused),
        TEST(test_time_passes_without_shard_0),
        TEST(test_a_probe_in_steps),
        TEST(test_a_schema_that_is_refused_is_not_compared_at_once),
    };

    strategy = kind;
    return cmocka_run_group_tests_name(name, tests, start_server, stop_server);
}

int
main(void)
{
    return run_with(DEDUP_SETNX, "setnx") | run_with(DEDUP_SET, "set") |
           run_with(DEDUP_HLL, "hll");
}
