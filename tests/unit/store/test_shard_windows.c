/*
 * test_shard_windows: reporters close windows over three shards: the sum, in
 * the order that shard 0 decides, or a gap.
 */
#include <inttypes.h>

#include "shards_fixture.h"
#include "store/keys.h"
#include "store/schema.h"
#include "store/window_closer.h"

static struct window_closer *
open_over_shards(struct fixture *f)
{
    struct window_closer_shard shards[SHARDS];
    struct window_closer_settings settings = {
        .shards = shards, .count = SHARDS, .records = f->redis[0]};
    struct window_closer *closer;

    for (int i = 0; i < SHARDS; i++) {
        shards[i] = (struct window_closer_shard){.options = &f->views[i],
                                                 .redis = f->redis[i]};
    }
    closer = window_closer_open(&settings);
    assert_non_null(closer);
    return closer;
}

/* Runs a command of one key of a shard: verve:{tag}:<name>. */
static const char *
shard_do(struct fixture *f, int shard, const char *command, const char *name,
         const char *value)
{
    char key[96];

    snprintf(key, sizeof(key), "verve:{%" PRId64 "}:%s",
             f->views[shard].redis.tag, name);
    return redis_do(f->redis[0], command, key, value, NULL);
}

/* The data of all shards began two windows ago. Returns that window. */
static int64_t
begin(struct fixture *f)
{
    int64_t first_s = time(NULL) / HOUR_S * HOUR_S - 2 * HOUR_S;
    char born[SCHEMA_BORN_SIZE];

    for (int i = 0; i < SHARDS; i++) {
        char text[SCHEMA_BORN_SIZE];

        snprintf(text, sizeof(text), "%" PRId64 ".000001", first_s);
        assert_int_equal(schema_agree(&f->views[i], f->redis[i], born),
                         REDIS_DONE);
        shard_do(f, i, "SET", "born", text);
    }
    return first_s;
}

/* As the accept script leaves them. */
static void
set_count(struct fixture *f, int shard, int64_t window_s, int64_t count)
{
    char name[64], text[24];

    snprintf(name, sizeof(name), "count:%" PRId64, window_s);
    snprintf(text, sizeof(text), "%" PRId64, count);
    shard_do(f, shard, "SET", name, text);
    snprintf(name, sizeof(name), "verve:{%" PRId64 "}:open",
             f->views[shard].redis.tag);
    snprintf(text, sizeof(text), "%" PRId64, window_s);
    redis_do(f->redis[0], "ZADD", name, text, text, NULL);
}

static struct window_closer_sealed
seal(struct window_closer *closer)
{
    struct window_closer_sealed sealed;

    assert_true(window_closer_seal(closer, WINDOW_CLOSER_MOST, &sealed) >= 0);
    return sealed;
}

static struct window_record
record_at(struct window_closer *closer, int64_t start_s)
{
    struct window_record record = {0};
    int64_t skipped;

    assert_int_equal(
        window_closer_read(closer, start_s - 1, &record, 1, &skipped), 1);
    assert_int_equal(record.start_s, start_s);
    return record;
}

/* verve:{tag}:<name> as a number; 0: there is none. */
static int64_t
number_of(struct fixture *f, int shard, const char *name)
{
    return strtoll(value_of(f, shard, name), NULL, 10);
}

static void
test_a_record_is_the_sum(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);

    set_count(f, 0, first_s, 5);
    set_count(f, 1, first_s, 70);
    set_count(f, 2, first_s + HOUR_S, 900);
    assert_int_equal(seal(closer).records, 2);
    assert_int_equal(record_at(closer, first_s).count, 75);
    assert_int_equal(record_at(closer, first_s + HOUR_S).count, 900);
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(number_of(f, i, "sealed"), first_s + HOUR_S);
        assert_int_equal(number_of(f, i, "recorded"), first_s + HOUR_S);
    }
    window_closer_close(closer);
}

static void
test_two_reporters_record_the_same(void **state)
{
    struct fixture *f = *state;
    struct window_closer *one = open_over_shards(f);
    struct window_closer *other = open_over_shards(f);
    int64_t first_s = begin(f);

    set_count(f, 2, first_s, 3);
    set_count(f, 1, first_s, 4);
    assert_int_equal(seal(one).own, 2);
    assert_int_equal(seal(other).own, 0);
    assert_int_equal(record_at(other, first_s).count, 7);
    window_closer_close(one);
    window_closer_close(other);
}

/* No shard takes an id of a window that shard 0 has sealed, whatever its clock;
   and it takes those of the window that is on. */
static void
test_shards_follow_shard_0(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);
    int64_t on_s = first_s + 2 * HOUR_S;

    seal(closer);
    hear(f);
    assert_int_equal(count_one(f, 0, 1), on_s);
    assert_int_equal(count_one(f, 1, 2), on_s);
    assert_int_equal(count_one(f, 2, 3), on_s);
    /* A responder that still believes in the window before. */
    close_counters(f->counters, f->news);
    assert_int_equal(open_counters(f, f->counters, &f->news), 0);
    shard_news_hear_window(f->news, first_s + HOUR_S, HOUR_S * 1000, 0);
    assert_int_equal(count_one(f, 1, 4), on_s);
    window_closer_close(closer);
}

/* A count of one shard that is gone makes a gap, and so does `lost`. */
static void
test_a_gap_of_one_shard(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);
    char name[64], text[24];

    set_count(f, 0, first_s, 5);
    set_count(f, 1, first_s, 5);
    snprintf(name, sizeof(name), "count:%" PRId64, first_s);
    shard_do(f, 1, "DEL", name, NULL);
    snprintf(text, sizeof(text), "%" PRId64, first_s + HOUR_S);
    snprintf(name, sizeof(name), "verve:{%" PRId64 "}:lost",
             f->views[2].redis.tag);
    redis_do(f->redis[0], "ZADD", name, text, text, NULL);
    assert_int_equal(seal(closer).gaps, 2);
    assert_true(record_at(closer, first_s).gap);
    assert_true(record_at(closer, first_s + HOUR_S).gap);
    assert_string_equal(redis_do(f->redis[0], "ZCARD", name, NULL), "0");
    assert_int_equal(seal(closer).late, 0);
    window_closer_close(closer);
}

/* All keys of one shard are gone: FLUSHALL on its node. */
static void
flush(struct fixture *f, int shard)
{
    static const struct redis_script remove = {
        .name = "remove",
        .sha1 = "4c2df6e680854c2c24e324c68778adf0b92b08fb",
        .body = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do\n"
                "    redis.call('DEL', key)\n"
                "end\n"
                "return 1\n",
    };
    struct command *call = redis_call(f->redis[0], &remove);
    const struct redis_reply *reply;
    char pattern[64];

    snprintf(pattern, sizeof(pattern), "verve:{%" PRId64 "}:*",
             f->views[shard].redis.tag);
    redis_arg(call, pattern, strlen(pattern));
    assert_int_equal(redis_run(f->redis[0], &reply), REDIS_DONE);
}

/* The reporter has seen the data of the shard before. */
static void
test_a_shard_that_lost_its_data(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);
    int64_t on_s = first_s + 2 * HOUR_S;
    char name[64], text[24];

    set_count(f, 0, first_s, 5);
    seal(closer);
    flush(f, 1);
    seal(closer);
    snprintf(name, sizeof(name), "verve:{%" PRId64 "}:lost",
             f->views[1].redis.tag);
    snprintf(text, sizeof(text), "%" PRId64, on_s);
    assert_string_equal(redis_do(f->redis[0], "ZSCORE", name, text, NULL),
                        text);
    assert_int_equal(number_of(f, 1, "recorded"), first_s + HOUR_S);
    assert_int_equal(seal(closer).late, 0);
    window_closer_close(closer);
}

/* A responder has confirmed ids in a shard that lost them before the reporter
   ever saw it: the responder writes it down. */
static void
test_a_responder_remembers_for_its_shard(void **state)
{
    struct fixture *f = *state;
    int64_t window_s;
    char name[64], text[24];

    hear(f);
    window_s = count_one(f, 1, 1);
    count_one(f, 2, 2);
    flush(f, 1);
    count_one(f, 1, 3);
    snprintf(text, sizeof(text), "%" PRId64, window_s);
    for (int i = 1; i < SHARDS; i++) {
        snprintf(name, sizeof(name), "verve:{%" PRId64 "}:lost",
                 f->views[i].redis.tag);
        assert_string_equal(redis_do(f->redis[0], "ZSCORE", name, text, NULL),
                            i == 1 ? text : "");
    }
}

/*
 * A reporter ended after it had added records, and before it told the shards.
 * The next one tells them: a gap that was told is no later loss, and a loss of
 * a record that has a count is.
 */
static void
test_a_reporter_ends_before_the_shards_are_told(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);
    struct window_record records[2] = {
        {.start_s = first_s, .length_s = HOUR_S, .gap = true},
        {.start_s = first_s + HOUR_S, .length_s = HOUR_S, .count = 7},
    };
    struct window_stream_added added;
    char name[64], text[24];

    snprintf(name, sizeof(name), "verve:{%" PRId64 "}:lost",
             f->views[1].redis.tag);
    snprintf(text, sizeof(text), "%" PRId64, first_s);
    redis_do(f->redis[0], "ZADD", name, text, text, NULL);
    assert_int_equal(
        window_stream_append(f->redis[0], "verve", 0, records, 2, &added), 0);
    assert_int_equal(number_of(f, 1, "recorded"), 0);
    assert_int_equal(seal(closer).late, 0);
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(number_of(f, i, "recorded"), first_s + HOUR_S);
    }
    assert_string_equal(redis_do(f->redis[0], "ZCARD", name, NULL), "0");
    snprintf(text, sizeof(text), "%" PRId64, first_s + HOUR_S);
    redis_do(f->redis[0], "ZADD", name, text, text, NULL);
    assert_int_equal(seal(closer).late, 1);
    window_closer_close(closer);
}

/* Its data began later than that of shard 0: no gap, and nothing is left out.
 */
static void
test_a_shard_that_began_later(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);
    char text[SCHEMA_BORN_SIZE];

    snprintf(text, sizeof(text), "%" PRId64 ".000001", first_s + HOUR_S + 9);
    shard_do(f, 2, "SET", "born", text);
    set_count(f, 0, first_s, 5);
    set_count(f, 2, first_s + HOUR_S, 6);
    assert_int_equal(seal(closer).gaps, 0);
    assert_int_equal(record_at(closer, first_s).count, 5);
    assert_int_equal(record_at(closer, first_s + HOUR_S).count, 6);
    window_closer_close(closer);
}

/* The records alone are gone, with the node that had them. */
static void
test_records_that_are_gone_are_written_again(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    int64_t first_s = begin(f);

    set_count(f, 0, first_s, 5);
    set_count(f, 1, first_s + HOUR_S, 8);
    seal(closer);
    seal(closer); /* has seen its records */
    redis_do(f->redis[0], "DEL", "verve:windows", NULL);
    window_closer_remember(closer, &(struct window_sinks){.empty = true});
    assert_int_equal(seal(closer).records, 2);
    assert_int_equal(record_at(closer, first_s).count, 5);
    assert_int_equal(record_at(closer, first_s + HOUR_S).count, 8);
    window_closer_close(closer);
}

static void
test_a_shard_that_is_away(void **state)
{
    struct fixture *f = *state;
    struct window_closer *closer = open_over_shards(f);
    struct window_closer_sealed sealed;
    char id[64];

    begin(f);
    redis_do(f->redis[0], "SET", "unrelated", "1", NULL);
    (void)!snprintf(id, sizeof(id), "verve:{%" PRId64 "}:lost",
                    f->views[2].redis.tag);
    redis_do(f->redis[0], "SET", id, "no zset", NULL);
    assert_int_equal(window_closer_seal(closer, 10, &sealed), -1);
    assert_ptr_equal(window_closer_failed(closer), f->redis[2]);
    assert_string_equal(redis_do(f->redis[0], "EXISTS", "verve:windows", NULL),
                        "0");
    /* The other connections are in order. */
    redis_do(f->redis[0], "DEL", id, NULL);
    assert_int_equal(seal(closer).records, 2);
    window_closer_close(closer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_record_is_the_sum),
        TEST(test_two_reporters_record_the_same),
        TEST(test_shards_follow_shard_0),
        TEST(test_a_gap_of_one_shard),
        TEST(test_a_shard_that_lost_its_data),
        TEST(test_a_responder_remembers_for_its_shard),
        TEST(test_a_reporter_ends_before_the_shards_are_told),
        TEST(test_a_shard_that_began_later),
        TEST(test_records_that_are_gone_are_written_again),
        TEST(test_a_shard_that_is_away),
    };

    return cmocka_run_group_tests_name("windows of shards", tests, start_server,
                                       stop_server);
}
