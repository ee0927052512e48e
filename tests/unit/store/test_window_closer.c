/*
 * test_window_closer: windows of one second, against a real Redis. The past is
 * made by writing `born`, counts and records as the programs would.
 */
#include <inttypes.h>

#include "closer_fixture.h"
#include "redis_fixture.h"
#include "store/schema.h"
#include "window-append.lua.h"
#include "window-seal.lua.h"

struct fixture {
    struct options options;
    struct redis *redis;
    struct window_closer *closer;
    int64_t skipped;
};

static int64_t
redis_now_s(struct fixture *f)
{
    /* A script whose reply is the first element of TIME. */
    static const struct redis_script now = {
        .name = "now",
        .sha1 = "aee232eb60b4d3206f2dd7f483df5fc3f4d3fcc8",
        .body = "return redis.call('TIME')[1]",
    };
    const struct redis_reply *reply;
    int64_t now_s = 0;

    redis_call(f->redis, &now);
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(reply, &now_s));
    return now_s;
}

static void
set(struct fixture *f, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    assert_string_equal(redis_do(f->redis, "SET", key, text, NULL), "OK");
}

/* Writes the schema of the options, for data that began at born_s. */
static void
begin(struct fixture *f, int64_t born_s)
{
    char born[SCHEMA_BORN_SIZE];

    redis_do(f->redis, "DEL", "verve:{0}:meta", NULL);
    assert_int_equal(schema_agree(&f->options, f->redis, born), REDIS_DONE);
    set(f, "verve:{0}:born", born_s);
}

static void
set_count(struct fixture *f, int64_t start_s, int64_t count)
{
    char key[64];

    snprintf(key, sizeof(key), "verve:{0}:count:%" PRId64, start_s);
    set(f, key, count);
}

static void
add_record(struct fixture *f, int64_t start_s)
{
    char id[32];

    snprintf(id, sizeof(id), "%" PRId64 "-0", start_s);
    assert_string_equal(redis_do(f->redis, "XADD", "verve:windows", id, "count",
                                 "1", "late", "0", "gap", "0", NULL),
                        id);
}

static int64_t
get(struct fixture *f, const char *key)
{
    return strtoll(redis_do(f->redis, "GET", key, NULL), NULL, 10);
}

static void
remember(struct fixture *f, int64_t oldest_s, int64_t newest_s)
{
    struct window_sinks sinks = {.oldest_s = oldest_s, .newest_s = newest_s};

    window_closer_remember(f->closer, &sinks);
}

/* Seals until no window waits; returns how many windows were recorded. */
static size_t
seal_all(struct window_closer *closer)
{
    struct window_closer_sealed sealed;
    size_t records = 0;
    int64_t left_ms;

    do {
        left_ms = window_closer_seal(closer, WINDOW_CLOSER_MOST, &sealed);
        assert_int_not_equal(left_ms, -1);
        records += sealed.records;
    } while (left_ms == 0);
    return records;
}

/* As window_closer_read; sets f->skipped. */
static int
read_after(struct fixture *f, int64_t after_s, struct window_record *records,
           size_t most)
{
    return window_closer_read(f->closer, after_s, records, most, &f->skipped);
}

/* The record of the window at start_s. */
static struct window_record
record_at(struct fixture *f, int64_t start_s)
{
    struct window_record record = {0};

    assert_int_equal(read_after(f, start_s - 1, &record, 1), 1);
    assert_int_equal(record.start_s, start_s);
    return record;
}

static void
test_open_window_is_refused(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    int64_t now_s, left_ms;

    f->options.window.seconds = 3600;
    now_s = redis_now_s(f);
    begin(f, now_s);
    left_ms = window_closer_seal(f->closer, WINDOW_CLOSER_MOST, &sealed);
    assert_int_equal(sealed.records, 0);
    assert_in_range(left_ms, (3600 - now_s % 3600) * 1000 - 5000,
                    (3600 - now_s % 3600) * 1000);
    assert_string_equal(redis_do(f->redis, "EXISTS", "verve:{0}:sealed", NULL),
                        "0");
}

static void
test_birth_is_written_where_missing(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    seal_all(f->closer);
    assert_in_range(get(f, "verve:{0}:born"), now_s, now_s + 5);
    set(f, "verve:{0}:born", 7);
    seal_all(f->closer);
    assert_int_equal(get(f, "verve:{0}:born"), 7);
}

static void
test_counts(void **state)
{
    struct fixture *f = *state;
    int64_t first_s = redis_now_s(f) - 10;

    begin(f, first_s);
    set_count(f, first_s, 5);
    set_count(f, first_s + 2, INT64_C(9007199254740992));
    assert_in_range(seal_all(f->closer), 10, 15);
    assert_int_equal(record_at(f, first_s).count, 5);
    assert_int_equal(record_at(f, first_s + 1).count, 0);
    assert_int_equal(record_at(f, first_s + 2).count, 9007199254740992);
    assert_false(record_at(f, first_s + 1).gap);
    assert_true(record_at(f, first_s).late);
    assert_in_range(get(f, "verve:{0}:sealed"), first_s + 9, first_s + 14);
}

static void
test_not_late_at_once(void **state)
{
    struct fixture *f = *state;
    int64_t now_s, length_s = 1000;

    f->options.window.seconds = length_s;
    now_s = redis_now_s(f);
    now_s -= now_s % length_s;
    begin(f, now_s - 2 * length_s);
    assert_int_equal(seal_all(f->closer), 2);
    assert_true(record_at(f, now_s - 2 * length_s).late);
    assert_false(record_at(f, now_s - length_s).late);
}

/* What this reporter has recorded itself, and the last window of all. */
static void
test_own_records_are_told(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    int64_t now_s, length_s = 1000;

    f->options.window.seconds = length_s;
    now_s = redis_now_s(f);
    now_s -= now_s % length_s;
    begin(f, now_s - 3 * length_s);
    set_count(f, now_s - length_s, 9);
    assert_true(window_closer_seal(f->closer, 10, &sealed) > 0);
    assert_int_equal(sealed.own, 3);
    assert_int_equal(sealed.own_lates, 2);
    assert_int_equal(sealed.gaps, 0);
    assert_int_equal(sealed.last.start_s, now_s - length_s);
    assert_int_equal(sealed.last.count, 9);
    assert_in_range(sealed.delay_ms, (redis_now_s(f) - now_s - 5) * 1000,
                    (redis_now_s(f) - now_s + 1) * 1000);
    assert_in_range(window_closer_skew_us(f->closer, 0) + 500000, 0, 1000000);

    assert_true(window_closer_seal(f->closer, 10, &sealed) > 0);
    assert_int_equal(sealed.own, 0);
    assert_int_equal(sealed.last.start_s, now_s - length_s);
    assert_int_equal(sealed.last.count, 9);
}

/* A sealed window stays closed if Redis's clock steps back. */
static void
test_clock_that_stepped_back(void **state)
{
    struct fixture *f = *state;
    int64_t ahead_s = redis_now_s(f) + 100;
    struct window_closer_sealed sealed;
    int64_t left_ms;

    begin(f, ahead_s - 3);
    set(f, "verve:{0}:sealed", ahead_s);
    add_record(f, ahead_s - 2);
    set_count(f, ahead_s, 6);
    assert_int_equal(window_closer_seal(f->closer, 1, &sealed), 0);
    assert_int_equal(get(f, "verve:{0}:sealed"), ahead_s);
    left_ms = window_closer_seal(f->closer, 10, &sealed);
    assert_int_equal(sealed.records, 1);
    assert_int_equal(record_at(f, ahead_s).count, 6);
    assert_in_range(left_ms, 90 * 1000, 102 * 1000);
    assert_int_equal(get(f, "verve:{0}:sealed"), ahead_s);
}

/* The script itself refuses to seal a window that has not ended. */
static void
test_seal_of_open_windows(void **state)
{
    struct fixture *f = *state;
    const struct redis_reply *reply;
    struct command *call;
    int64_t length_s = 3600;
    int64_t on_s = 0;

    set(f, "verve:{0}:born", 7);
    call = redis_call(f->redis, &script_window_seal);
    redis_key(call, "verve:{0}:sealed");
    redis_key(call, "verve:{0}:born");
    redis_key(call, "verve:{0}:open");
    redis_key(call, "verve:{0}:lost");
    redis_key(call, "verve:{0}:recorded");
    for (int i = 0; i < 4; i++) {
        redis_key(call, "verve:{0}:count:%d", i);
        redis_key(call, "verve:{0}:whole:setnx:%d", i);
        redis_key(call, "verve:{0}:sets:%d", i);
        redis_key(call, "verve:{0}:seen:%d:s", i);
    }
    redis_arg_int(call, length_s);
    redis_arg_int(call, 7);
    redis_arg_int(call, time(NULL) / length_s * length_s - 2 * length_s);
    assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
    assert_true(redis_reply_int(redis_reply_at(reply, 1), &on_s));
    assert_int_equal(redis_reply_count(reply), 2 + 2);
    assert_int_equal(get(f, "verve:{0}:sealed"), on_s - length_s);
}

static void
test_two_reporters(void **state)
{
    struct fixture *f = *state;
    struct window_closer *other = open_closer(&f->options, f->redis, 0);
    struct window_record records[2];
    int64_t first_s;
    size_t n;

    /* Long windows, so that none ends between the two reporters. */
    f->options.window.seconds = 100;
    first_s = redis_now_s(f);
    first_s -= first_s % 100 + 300;
    begin(f, first_s);
    set_count(f, first_s, 5);
    n = seal_all(f->closer);
    set_count(f, first_s, 6); /* too late: the window is recorded */
    assert_in_range(n, 3, 4);
    assert_in_range(seal_all(other), 0, 1);
    assert_int_equal(
        window_closer_read(other, first_s - 1, records, 2, &(int64_t){0}), 2);
    assert_int_equal(records[0].count, 5);
    assert_int_equal(records[1].start_s, first_s + 100);
    window_closer_close(other);
}

/* Two reporters record the same window; the second changes nothing. */
static void
test_recording_twice(void **state)
{
    struct fixture *f = *state;
    const char *counts[] = {"5", "6"};
    const struct redis_reply *reply;
    struct window_record records[3];
    int64_t last_s = 0, added = -1;

    for (size_t i = 0; i < 2; i++) {
        struct command *call = redis_call(f->redis, &script_window_append);

        redis_key(call, "verve:windows");
        redis_arg_int(call, 0);
        redis_arg_int(call, 60);
        redis_arg(call, counts[i], 1);
        redis_arg_int(call, 0);
        redis_arg_int(call, 0);
        redis_arg_int(call, 60);
        assert_int_equal(redis_run(f->redis, &reply), REDIS_DONE);
        assert_true(redis_reply_int(redis_reply_at(reply, 0), &last_s));
        assert_true(redis_reply_int(redis_reply_at(reply, 1), &added));
        assert_int_equal(last_s, 60);
        assert_int_equal(added, i == 0 ? 1 : 0);
    }
    assert_int_equal(read_after(f, 0, records, 3), 1);
    assert_int_equal(records[0].count, 5);
}

static void
test_catching_up(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    int64_t first_s = redis_now_s(f) - 1000;

    begin(f, first_s);
    assert_int_equal(window_closer_seal(f->closer, 7, &sealed), 0);
    assert_int_equal(sealed.records, 7);
    assert_int_equal(window_closer_seal(f->closer, 100000, &sealed), 0);
    assert_int_equal(sealed.records, WINDOW_CLOSER_MOST);
    assert_in_range(seal_all(f->closer), 1000 - 7 - WINDOW_CLOSER_MOST, 1000);
    assert_int_equal(record_at(f, first_s + 500).count, 0);
}

static void
test_retention(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    int64_t now_s = redis_now_s(f);
    struct window_record record;

    f->options.window.retention_hours = 1;
    begin(f, now_s - 3700);
    add_record(f, now_s - 3700);
    assert_int_equal(window_closer_seal(f->closer, 10, &sealed), 0);
    assert_int_equal(sealed.records, 10);
    assert_in_range(sealed.skipped, 100, 106);
    assert_int_equal(read_after(f, 0, &record, 1), 1);
    /* The old record is trimmed; the first is just inside the retention. */
    assert_in_range(record.start_s, now_s - 3600, now_s - 3590);
    assert_int_equal(window_closer_seal(f->closer, 10, &sealed), 0);
    assert_int_equal(sealed.skipped, 0);
}

/* A stream that was trimmed until it is empty still knows its end. */
static void
test_trimmed_stream(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 100);
    add_record(f, now_s - 4);
    redis_do(f->redis, "XTRIM", "verve:windows", "MAXLEN", "0", NULL);
    assert_in_range(seal_all(f->closer), 3, 6);
    record_at(f, now_s - 3);
}

static void
test_lost_while_running(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);
    int64_t last_s;

    begin(f, now_s - 10);
    seal_all(f->closer);
    last_s = get(f, "verve:{0}:sealed");
    redis_do(f->redis, "FLUSHALL", NULL);
    begin(f, last_s + 1);
    while (redis_now_s(f) < last_s + 4) {
        usleep(20000);
    }
    set_count(f, last_s + 1, 3);
    set_count(f, last_s + 2, 4);
    seal_all(f->closer);
    assert_true(record_at(f, last_s + 1).gap);
    assert_false(record_at(f, last_s + 2).gap);
    assert_int_equal(record_at(f, last_s + 2).count, 4);
}

/* If nothing is recorded yet, only `born` shows the reset. */
static void
test_lost_in_the_first_window(void **state)
{
    struct fixture *f = *state;
    int64_t first_s, length_s = 100;
    struct window_closer_sealed sealed;

    f->options.window.seconds = length_s;
    first_s = redis_now_s(f);
    first_s -= first_s % length_s;
    begin(f, first_s);
    assert_true(window_closer_seal(f->closer, 10, &sealed) > 0);
    assert_int_equal(sealed.records, 0);
    redis_do(f->redis, "FLUSHALL", NULL);
    begin(f, first_s + 1);
    set(f, "verve:{0}:sealed",
        first_s + length_s); /* the window has ended since */
    assert_int_equal(seal_all(f->closer), 2);
    assert_true(record_at(f, first_s).gap);
    assert_false(record_at(f, first_s + length_s).gap);
}

/* The new data may begin in the same second as the old. */
static void
test_lost_within_a_second(void **state)
{
    struct fixture *f = *state;
    int64_t first_s, length_s = 100;
    struct window_closer_sealed sealed;
    char born[32];

    f->options.window.seconds = length_s;
    first_s = redis_now_s(f) / length_s * length_s;
    for (int i = 1; i <= 2; i++) {
        redis_do(f->redis, "FLUSHALL", NULL);
        begin(f, first_s);
        snprintf(born, sizeof(born), "%" PRId64 ".00000%d", first_s, i);
        redis_do(f->redis, "SET", "verve:{0}:born", born, NULL);
        assert_true(window_closer_seal(f->closer, 10, &sealed) > 0);
    }
    set(f, "verve:{0}:sealed", first_s);
    seal_all(f->closer);
    assert_true(record_at(f, first_s).gap);
}

/*
 * The records end before a window that was recorded: Redis went back to an
 * earlier state. If the window has the same count as before, it is no gap.
 */
static void
test_a_record_that_is_gone(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 10);
    set_count(f, now_s - 2, 5);
    set_count(f, now_s - 1, 6);
    seal_all(f->closer);
    redis_do(f->redis, "DEL", "verve:windows", NULL);
    add_record(f, now_s - 3);
    set_count(f, now_s - 1, 4);
    seal_all(f->closer);
    assert_false(record_at(f, now_s - 2).gap);
    assert_int_equal(record_at(f, now_s - 2).count, 5);
    assert_true(record_at(f, now_s - 1).gap);
}

/* Redis went back to a state before all records; a sink has them. */
static void
test_all_records_are_gone(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f), on_s;

    f->options.window.seconds = 100;
    on_s = now_s / 100 * 100;
    begin(f, on_s - 500);
    assert_int_equal(seal_all(f->closer), 5);
    remember(f, on_s - 100, on_s - 100);
    redis_do(f->redis, "DEL", "verve:windows", NULL);
    set_count(f, on_s, 4);
    seal_all(f->closer);
    set(f, "verve:{0}:sealed", on_s);
    seal_all(f->closer);
    assert_true(record_at(f, on_s).gap);
}

/* Others may remember more than Redis does: see marks.h. */
static void
test_the_barrier(void **state)
{
    struct fixture *f = *state;
    struct window_closer *barred = open_closer(&f->options, f->redis, 2500);
    struct window_closer_sealed sealed;
    int64_t now_s = redis_now_s(f), left_ms;

    begin(f, now_s - 10);
    set_count(f, now_s - 2, 5);
    left_ms = window_closer_seal(barred, WINDOW_CLOSER_MOST, &sealed);
    assert_in_range(left_ms, 1, 1000);
    assert_int_equal(sealed.records, 0);
    assert_true(get(f, "verve:{0}:sealed") >= now_s - 1);
    usleep(2510 * 1000);
    assert_true(seal_all(barred) >= 10);
    assert_true(record_at(f, now_s - 9).late);
    assert_false(record_at(f, now_s - 1).late); /* it was sealed in time */
    assert_int_equal(record_at(f, now_s - 2).count, 5);
    window_closer_close(barred);
}

/* What anybody wrote into `lost` is a gap for every reporter. */
static void
test_what_others_know_to_be_lost(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);
    struct window_closer_sealed sealed;
    char lost[24];

    begin(f, now_s - 10);
    set_count(f, now_s - 5, 7);
    set_count(f, now_s - 4, 7);
    snprintf(lost, sizeof(lost), "%" PRId64, now_s - 5);
    redis_do(f->redis, "ZADD", "verve:{0}:lost", lost, lost, NULL);
    seal_all(f->closer);
    assert_true(record_at(f, now_s - 5).gap);
    assert_false(record_at(f, now_s - 4).gap);
    assert_true(window_closer_seal(f->closer, 10, &sealed) >= 0);
    assert_int_equal(sealed.late, 0);

    /* Too late: the window is recorded. */
    snprintf(lost, sizeof(lost), "%" PRId64, now_s - 4);
    redis_do(f->redis, "ZADD", "verve:{0}:lost", lost, lost, NULL);
    assert_true(window_closer_seal(f->closer, 10, &sealed) >= 0);
    assert_int_equal(sealed.late, 1);
    assert_string_equal(redis_do(f->redis, "ZCARD", "verve:{0}:lost", NULL),
                        "0");
}

/* The schema is lost with the data: it is written again. */
static void
test_agreement_is_restored(void **state)
{
    struct fixture *f = *state;

    seal_all(f->closer);
    redis_do(f->redis, "FLUSHALL", NULL);
    seal_all(f->closer);
    assert_string_equal(
        redis_do(f->redis, "HGET", "verve:{0}:meta", "window_seconds", NULL),
        "1");
    assert_string_equal(redis_do(f->redis, "EXISTS", "verve:{0}:born", NULL),
                        "1");
}

/* After the reset another program wrote its schema first. */
static void
test_another_agreement_is_refused(void **state)
{
    struct fixture *f = *state;
    struct options other = f->options;
    struct window_closer_sealed sealed;
    char born[SCHEMA_BORN_SIZE];

    seal_all(f->closer);
    redis_do(f->redis, "FLUSHALL", NULL);
    other.window.seconds = 2;
    assert_int_equal(schema_agree(&other, f->redis, born), REDIS_DONE);
    assert_int_equal(window_closer_seal(f->closer, 10, &sealed), -1);
    assert_non_null(
        strstr(redis_error(f->redis), "window_seconds is 2 there and 1 here"));
    assert_string_equal(redis_do(f->redis, "EXISTS", "verve:{0}:sealed", NULL),
                        "0");
}

static void
test_lost_while_away(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    /*
     * One sink has windows up to -20, another up to -15; the data was reset at
     * -8.
     */
    begin(f, now_s - 8);
    remember(f, now_s - 20, now_s - 15);
    seal_all(f->closer);
    for (int64_t s = now_s - 19; s <= now_s - 8; s++) {
        assert_true(record_at(f, s).gap);
    }
    assert_false(record_at(f, now_s - 7).gap);
}

/*
 * A stream from an old snapshot: windows from its end up to those known are
 * lost.
 */
static void
test_old_snapshot(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 100);
    add_record(f, now_s - 30);
    remember(f, now_s - 20, now_s - 20);
    seal_all(f->closer);
    assert_true(record_at(f, now_s - 29).gap);
    assert_true(record_at(f, now_s - 20).gap);
    assert_true(
        record_at(f, now_s - 19).gap); /* was on when the data was lost */
    assert_false(record_at(f, now_s - 18).gap);
}

/* If the stream has the windows that we remember, nothing is lost. */
static void
test_nothing_lost(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 100);
    add_record(f, now_s - 5);
    remember(f, now_s - 20, now_s - 5);
    seal_all(f->closer);
    assert_false(record_at(f, now_s - 4).gap);
}

/*
 * window.seconds was 100 and is 300. Records end aligned to 100 s, and go on
 * aligned to 300 s, after the last of the old windows.
 */
static void
test_longer_windows(void **state)
{
    struct fixture *f = *state;
    int64_t first_s, last_s;

    f->options.window.seconds = 300;
    first_s = redis_now_s(f);
    first_s -= first_s % 300 + 600;
    last_s = first_s - 200;
    begin(f, last_s + 120);
    set(f, "verve:{0}:sealed", last_s);
    add_record(f, last_s);
    set_count(f, first_s, 5);
    remember(f, last_s, last_s);
    assert_in_range(seal_all(f->closer), 2, 3);
    assert_int_equal(record_at(f, first_s).count, 5);
    assert_false(record_at(f, first_s).gap);
    assert_int_equal(record_at(f, first_s + 300).count, 0);
    assert_int_equal(get(f, "verve:{0}:sealed") % 300, 0);
}

/*
 * It was 300 and is 100. Counts of the old schema are not known to the new one.
 */
static void
test_shorter_windows(void **state)
{
    struct fixture *f = *state;
    int64_t last_s = redis_now_s(f) / 300 * 300 - 1200;

    f->options.window.seconds = 100;
    begin(f, last_s + 450);
    set(f, "verve:{0}:sealed", last_s);
    add_record(f, last_s);
    set_count(f, last_s + 300, 7); /* of the old window, which was on */
    set_count(f, last_s + 500, 5);
    remember(f, last_s, last_s);
    assert_in_range(seal_all(f->closer), 11, 15);
    for (int64_t s = last_s + 100; s <= last_s + 400; s += 100) {
        assert_true(record_at(f, s).gap);
    }
    assert_false(record_at(f, last_s + 500).gap);
    assert_int_equal(record_at(f, last_s + 500).count, 5);
}

/* The last sealed window was shorter, inside a window of now. */
static void
test_on_after_a_sealed_one_of_another_length(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    int64_t now_s, start_s, left_ms;

    f->options.window.seconds = 3600;
    now_s = redis_now_s(f);
    start_s = now_s - now_s % 3600;
    begin(f, now_s);
    set(f, "verve:{0}:sealed", start_s + 60);
    add_record(f, start_s + 60);
    left_ms = window_closer_seal(f->closer, 10, &sealed);
    assert_int_equal(sealed.records, 0);
    assert_in_range(left_ms, (start_s + 7200 - now_s - 5) * 1000,
                    (start_s + 7200 - now_s) * 1000);
}

static void
test_reading(void **state)
{
    struct fixture *f = *state;
    struct window_record records[4];

    assert_int_equal(read_after(f, 0, records, 4), 0);
    for (int64_t s = 100; s < 110; s++) {
        add_record(f, s);
    }
    assert_int_equal(read_after(f, 0, records, 4), 4);
    assert_int_equal(records[3].start_s, 103);
    assert_int_equal(read_after(f, 107, records, 4), 2);
    assert_int_equal(records[0].start_s, 108);
    assert_int_equal(records[0].count, 1);
    assert_int_equal(read_after(f, 109, records, 4), 0);
}

/* Records that vanished from the stream, with later records behind them. */
static void
test_holes_are_gaps(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);
    struct window_record records[8];

    begin(f, now_s - 100);
    add_record(f, now_s - 50);
    add_record(f, now_s - 47);
    seal_all(f->closer);
    assert_int_equal(read_after(f, now_s - 53, records, 6), 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(records[i].start_s, now_s - 52 + i);
        assert_int_equal(records[i].gap, i != 2 && i != 5);
    }
    /* At most as many as there is room for, even in the middle of a hole. */
    assert_int_equal(read_after(f, now_s - 53, records, 1), 1);
    assert_int_equal(records[0].start_s, now_s - 52);
    assert_int_equal(read_after(f, now_s - 50, records, 1), 1);
    assert_int_equal(records[0].start_s, now_s - 49);
}

/* A sink that is behind gets windows with the length that they had. */
static void
test_records_of_another_length(void **state)
{
    struct fixture *f = *state;
    int64_t first_s = redis_now_s(f) / 60 * 60 - 240;
    struct window_record records[3];

    begin(f, first_s - 60);
    for (int64_t i = 0; i < 3; i++) {
        char id[32];

        snprintf(id, sizeof(id), "%" PRId64 "-0", first_s + i * 60);
        redis_do(f->redis, "XADD", "verve:windows", id, "count", "1", "late",
                 "0", "gap", "0", "seconds", "60", NULL);
    }
    seal_all(f->closer); /* windows of one second */
    assert_int_equal(read_after(f, first_s - 60, records, 3), 3);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(records[i].start_s, first_s + i * 60);
        assert_int_equal(records[i].length_s, 60);
        assert_false(records[i].gap);
    }
    assert_int_equal(read_after(f, first_s + 120, records, 1), 1);
    assert_int_equal(records[0].start_s, first_s + 180);
    assert_int_equal(records[0].length_s, 1);
}

/* A future window, written into a file or a cursor by hand, makes no gaps. */
static void
test_a_memory_of_the_future(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 10);
    set_count(f, now_s - 5, 7);
    remember(f, now_s + 1000000, now_s + 1000000);
    assert_in_range(seal_all(f->closer), 10, 12);
    assert_false(record_at(f, now_s - 5).gap);
    assert_int_equal(record_at(f, now_s - 5).count, 7);
    assert_in_range(window_closer_implausible_from_s(f->closer), now_s + 600,
                    now_s + 602);
}

/* A count that was there and is gone: it has expired or was deleted. */
static void
test_a_count_that_is_gone_is_no_zero(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);
    char score[24];

    begin(f, now_s - 10);
    snprintf(score, sizeof(score), "%" PRId64, now_s - 5);
    redis_do(f->redis, "ZADD", "verve:{0}:open", score, score, NULL);
    assert_in_range(seal_all(f->closer), 10, 12);
    assert_true(record_at(f, now_s - 5).gap);
    assert_false(record_at(f, now_s - 4).gap);
    assert_int_equal(record_at(f, now_s - 4).count, 0);
    /* Recorded windows are removed from `open`. */
    usleep(1100 * 1000);
    seal_all(f->closer);
    assert_string_equal(redis_do(f->redis, "ZCARD", "verve:{0}:open", NULL),
                        "0");
}

/* Another reporter with a shorter retention trimmed records. */
static void
test_what_was_trimmed_is_no_gap(void **state)
{
    struct fixture *f = *state;
    struct options shorter = f->options;
    struct window_closer *other = open_closer(&shorter, f->redis, 0);
    int64_t now_s = redis_now_s(f);
    struct window_record record;

    shorter.window.retention_hours = 1;
    begin(f, now_s - 10);
    add_record(f, now_s - 7200);
    add_record(f, now_s - 3700);
    add_record(f, now_s - 12);
    seal_all(other);
    seal_all(f->closer);
    assert_int_equal(read_after(f, now_s - 7200, &record, 1), 1);
    assert_in_range(record.start_s, now_s - 3600, now_s - 3590);
    assert_in_range(f->skipped, 3590, 3610);
    window_closer_close(other);
}

/* The last window was longer: no window begins inside it. */
static void
test_after_a_longer_window(void **state)
{
    struct fixture *f = *state;
    int64_t first_s = redis_now_s(f) - 120;
    struct window_record records[2];
    char id[32];

    first_s -= first_s % 60;
    begin(f, first_s + 61);
    snprintf(id, sizeof(id), "%" PRId64 "-0", first_s);
    redis_do(f->redis, "XADD", "verve:windows", id, "count", "1", "late", "0",
             "gap", "0", "seconds", "60", NULL);
    seal_all(f->closer);
    assert_int_equal(read_after(f, first_s - 1, records, 2), 2);
    assert_int_equal(records[0].start_s, first_s);
    assert_int_equal(records[1].start_s, first_s + 60);
    assert_int_equal(records[1].length_s, 1);
}

/*
 * Windows before a new sink's first record, or past the retention, are no gaps.
 */
static void
test_holes_that_are_none(void **state)
{
    struct fixture *f = *state;
    int64_t now_s = redis_now_s(f);
    struct window_record record;

    f->options.window.retention_hours = 1;
    begin(f, now_s - 100);
    add_record(f, now_s - 50);
    seal_all(f->closer);
    assert_int_equal(read_after(f, 0, &record, 1), 1);
    assert_int_equal(record.start_s, now_s - 50);
    assert_int_equal(read_after(f, now_s - 9000, &record, 1), 1);
    assert_true(record.gap);
    assert_in_range(record.start_s, now_s - 3600, now_s - 3590);
}

/* A key of another type is an error, and never a zero. */
static void
test_refused(void **state)
{
    struct fixture *f = *state;
    struct window_closer_sealed sealed;
    struct window_record record;
    char key[64];
    int64_t now_s = redis_now_s(f);

    begin(f, now_s - 5);
    snprintf(key, sizeof(key), "verve:{0}:count:%" PRId64, now_s - 3);
    redis_do(f->redis, "RPUSH", key, "x", NULL);
    assert_int_equal(window_closer_seal(f->closer, 10, &sealed), -1);
    assert_int_equal(sealed.records, 0);
    assert_int_equal(read_after(f, 0, &record, 1), 0);
    assert_string_equal(redis_do(f->redis, "EXISTS", "verve:{0}:sealed", NULL),
                        "0");
}

static int
set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    fixture.options.redis.prefix = (char *)"verve";
    fixture.options.window.seconds = 1;
    fixture.options.window.retention_hours = 168;
    fixture.redis = connect_to_empty();
    if (fixture.redis == NULL) {
        return -1;
    }
    fixture.closer = open_closer(&fixture.options, fixture.redis, 0);
    *state = &fixture;
    return fixture.closer == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    window_closer_close(f->closer);
    redis_close(f->redis);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_window_is_refused),
        TEST(test_birth_is_written_where_missing),
        TEST(test_counts),
        TEST(test_not_late_at_once),
        TEST(test_own_records_are_told),
        TEST(test_clock_that_stepped_back),
        TEST(test_seal_of_open_windows),
        TEST(test_two_reporters),
        TEST(test_recording_twice),
        TEST(test_catching_up),
        TEST(test_retention),
        TEST(test_trimmed_stream),
        TEST(test_lost_while_running),
        TEST(test_lost_in_the_first_window),
        TEST(test_lost_within_a_second),
        TEST(test_a_record_that_is_gone),
        TEST(test_all_records_are_gone),
        TEST(test_the_barrier),
        TEST(test_what_others_know_to_be_lost),
        TEST(test_agreement_is_restored),
        TEST(test_another_agreement_is_refused),
        TEST(test_lost_while_away),
        TEST(test_old_snapshot),
        TEST(test_nothing_lost),
        TEST(test_longer_windows),
        TEST(test_shorter_windows),
        TEST(test_on_after_a_sealed_one_of_another_length),
        TEST(test_reading),
        TEST(test_holes_are_gaps),
        TEST(test_holes_that_are_none),
        TEST(test_records_of_another_length),
        TEST(test_a_memory_of_the_future),
        TEST(test_a_count_that_is_gone_is_no_zero),
        TEST(test_what_was_trimmed_is_no_gap),
        TEST(test_after_a_longer_window),
        TEST(test_refused),
    };

    return cmocka_run_group_tests_name("window_closer", tests, start_server,
                                       stop_server);
}
