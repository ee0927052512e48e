/*
 * test_counter: batches against a real Redis, with each strategy. The scripts
 * count all of a batch or nothing, in the window that is on by Redis's clock.
 */
#include "base/clock.h"
#include "counter_fixture.h"
#include "store/accept_call.h"
#include "store/endpoint_url.h"
#include "store/job.h"
#include "store/schema.h"

static void
test_counts_unique_ids(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {request(7, NULL), request(-7, NULL),
                                      request(7, NULL),
                                      request(INT64_MIN, NULL)};
    int64_t window_s = commit_batch(f->redis, f->counter, batch, 4).start_s;
    size_t i;

    for (i = 0; i < 4; i++) {
        assert_int_equal(batch[i].answer, COUNTER_COUNTED);
    }
    assert_int_equal(window_s % HOUR_S, 0);
    assert_int_equal(count_of(f, window_s), 3);
    commit_batch(f->redis, f->counter, batch, 4);
    assert_int_equal(count_of(f, window_s), 3);
}

/* Numbers that are equal as doubles, which Lua uses. */
static void
test_large_ids_are_told_apart(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = 0;

    for (int64_t i = 0; i < 4; i++) {
        count_one(f, INT64_MAX - i);
        count_one(f, INT64_MIN + i);
        window_s = count_one(f, ((int64_t)1 << 53) + i);
    }
    assert_int_equal(count_of(f, window_s), 12);
}

/*
 * Keys of ids live for two windows, and counts for at least three. `whole` does
 * not live longer than the key of any id.
 */
static void
test_all_keys_of_a_window_expire(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = 0, least, most;

    for (int64_t id = 0; id < 100; id++) {
        window_s = count_one(f, id);
    }
    ttls_of(f, "verve:{0}:se*:1*", &least, &most);
    assert_in_range(least, 2 * HOUR_S - 5, 2 * HOUR_S);
    assert_in_range(most, least, 2 * HOUR_S);
    ttls_of(f, "verve:{0}:*:1*", &least, &most);
    assert_in_range(least, HOUR_S, 2 * HOUR_S);
    assert_in_range(most, 3 * HOUR_S - 5, 3 * HOUR_S);
    assert_in_range(
        strtoll(redis_do(f->redis, "TTL", key_of("count", window_s), NULL),
                NULL, 10),
        3 * HOUR_S - 5, 3 * HOUR_S);
}

static void
test_jobs_carry_the_running_count(void **state)
{
    static const char url[] = "http://h/\"\\?a=b";
    struct fixture *f = *state;
    struct counter_request batch[] = {request(1, url), request(2, NULL),
                                      request(1, url)};
    int64_t before_ms = clock_wall_ms();
    int64_t window_s = commit_batch(f->redis, f->counter, batch, 3).start_s;
    int64_t after_ms = clock_wall_ms();
    char expected[128];
    const char *job;
    char *end;

    assert_string_equal(redis_do(f->redis, "LLEN", LIST_OF_H, NULL), "2");
    snprintf(expected, sizeof(expected),
             "\",\"url\":\"http://h/\\\"\\\\?a=b\",\"window\":%lld,"
             "\"at\":",
             (long long)window_s);
    job = redis_do(f->redis, "LINDEX", LIST_OF_H, "1", NULL);
    assert_memory_equal(job, "{\"v\":1,\"id\":\"", 13);
    assert_memory_equal(job + 13 + 32, expected, strlen(expected));
    /* Redis and this process share a clock. */
    assert_in_range(strtoll(job + 13 + 32 + strlen(expected), &end, 10),
                    before_ms, after_ms);
    assert_string_equal(end, ",\"count\":2}");
    job = redis_do(f->redis, "LINDEX", LIST_OF_H, "0", NULL);
    assert_non_null(strstr(job, "\"count\":1}"));
}

/* Escaped where JSON needs it; the longest fits. */
static void
test_jobs_carry_the_trace(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {request(1, "http://h/"),
                                      request(2, "http://h/"),
                                      request(3, "http://h/")};
    struct trace_context all, only_id, longest;
    char value[257], tracestate[520], id[65], url[ENDPOINT_URL_MAX_BYTES + 1];
    char member[3 * ENDPOINT_URL_MAX_BYTES + 8];
    struct job *job;
    const char *text;

    trace_context_read(
        &all, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "a=\"\\", "r\"1");
    trace_context_read(&only_id, NULL, NULL, "r2");
    memset(value, '\\', 250);
    value[250] = '\0';
    snprintf(tracestate, sizeof(tracestate), "a=%s,b=%s", value, value);
    memset(id, '"', 64);
    id[64] = '\0';
    memset(url, '"', ENDPOINT_URL_MAX_BYTES);
    memcpy(url, "http://h/", 9);
    url[ENDPOINT_URL_MAX_BYTES] = '\0';
    trace_context_read(&longest, all.traceparent, tracestate, id);
    assert_string_equal(longest.tracestate, tracestate);
    batch[0].trace = &all;
    batch[1].trace = &only_id;
    batch[2] = request(3, url);
    batch[2].trace = &longest;
    commit_batch(f->redis, f->counter, batch, 3);

    text = redis_do(f->redis, "LINDEX", LIST_OF_H, "0", NULL);
    assert_non_null(strstr(
        text, "\"url\":\"http://h/\",\"tp\":\"00-4bf92f3577b34da6a3ce929d0"
              "e0e4736-00f067aa0ba902b7-01\",\"ts\":\"a=\\\"\\\\\","
              "\"rid\":\"r\\\"1\",\"window\":"));
    text = redis_do(f->redis, "LINDEX", LIST_OF_H, "1", NULL);
    assert_non_null(
        strstr(text, "\"url\":\"http://h/\",\"rid\":\"r2\",\"window\":"));
    text = redis_do(f->redis, "LINDEX", LIST_OF_H, "2", NULL);
    snprintf(member, sizeof(member), "- 0 %s", text);
    job = job_read(member, strlen(member));
    assert_non_null(job->trace);
    assert_string_equal(job->url, url);
    assert_string_equal(job->trace->traceparent, longest.traceparent);
    assert_string_equal(job->trace->tracestate, tracestate);
    assert_string_equal(job->trace->request_id, id);
    job_free(job);
}

static void
test_a_full_queue_counts_nothing(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {request(1, "http://h/"), request(2, NULL),
                                      request(3, "http://h/"),
                                      request(4, NULL)};
    int64_t window_s;

    f->options.callbacks.max_queue = 3;
    redis_do(f->redis, "RPUSH", "verve:{0}:callbacks", "x", NULL);
    redis_do(f->redis, "ZADD", "verve:{0}:due", "1", "y", NULL);
    window_s = commit_batch(f->redis, f->counter, batch, 4).start_s;
    assert_int_equal(batch[0].answer, COUNTER_COUNTED);
    assert_int_equal(batch[1].answer, COUNTER_COUNTED);
    assert_int_equal(batch[2].answer, COUNTER_QUEUE_FULL);
    assert_int_equal(batch[3].answer, COUNTER_COUNTED);
    assert_int_equal(count_of(f, window_s), 3);
    count_one(f, 3);
    assert_int_equal(count_of(f, window_s), 4);
}

/* Each destination has a list; `queue` has the number and the bytes of all. */
static void
test_jobs_go_to_the_list_of_their_destination(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {
        request(1, "http://h/1"), request(2, "http://i/"),
        request(3, "HTTP://H:80/2"), request(4, "https://h/")};
    long long bytes = 0;

    commit_batch(f->redis, f->counter, batch, 4);
    assert_string_equal(redis_do(f->redis, "LLEN", LIST_OF_H, NULL), "2");
    assert_string_equal(
        redis_do(f->redis, "ZCARD", "verve:{0}:strangers", NULL), "3");
    assert_string_not_equal(redis_do(f->redis, "ZSCORE", "verve:{0}:strangers",
                                     "https://h:443", NULL),
                            "");
    assert_string_equal(
        redis_do(f->redis, "EXISTS", "verve:{0}:callbacks", NULL), "0");
    assert_string_equal(
        redis_do(f->redis, "HGET", "verve:{0}:queue", "jobs", NULL), "4");
    for (size_t i = 0; i < 4; i++) {
        /* With a window of ten digits, a time of 13 and a count of one. */
        bytes += (long long)batch[i].endpoint_len +
                 (long long)strlen("{\"v\":1,\"id\":\"\",\"url\":\"\","
                                   "\"window\":,\"at\":,\"count\":}") +
                 32 + 10 + 13 + 1;
    }
    assert_int_equal(
        strtoll(redis_do(f->redis, "HGET", "verve:{0}:queue", "bytes", NULL),
                NULL, 10),
        bytes);
}

/* A destination that has answered waits among those. */
static void
test_a_proven_destination_is_no_stranger(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, "http://p/");

    count_one(f, 2);
    redis_do(f->redis, "ZADD", "verve:{0}:proven", "1", "http://p:80", NULL);
    commit_batch(f->redis, f->counter, &one, 1);
    assert_string_not_equal(redis_do(f->redis, "ZSCORE",
                                     "verve:{0}:destinations", "http://p:80",
                                     NULL),
                            "");
    assert_string_equal(
        redis_do(f->redis, "EXISTS", "verve:{0}:strangers", NULL), "0");
}

/* Beyond the limit of memory, endpoints are refused, and plain ids never. */
static void
test_a_queue_of_too_many_bytes_counts_nothing(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {request(1, "http://h/"),
                                      request(2, NULL)};
    int64_t window_s;

    f->options.callbacks.max_queue_mb = 1;
    redis_do(f->redis, "HSET", "verve:{0}:queue", "bytes", "1047900", NULL);
    window_s = commit_batch(f->redis, f->counter, batch, 2).start_s;
    assert_int_equal(batch[0].answer, COUNTER_QUEUE_FULL);
    assert_int_equal(batch[1].answer, COUNTER_COUNTED);
    assert_int_equal(count_of(f, window_s), 1);

    f->options.callbacks.max_queue_mb = 2;
    commit_batch(f->redis, f->counter, batch, 2);
    assert_int_equal(batch[0].answer, COUNTER_COUNTED);
}

/* Each shard has its part of the limit, rounded up to a byte. */
static void
test_a_limit_of_bytes_is_for_all_shards(void **state)
{
    struct fixture *f = *state;

    f->options.redis.shards = 3;
    assert_int_equal(accept_call_max_queue_bytes(&f->options, f->redis),
                     ((1 << 30) + 2) / 3);
    f->options.callbacks.max_queue_mb = 2;
    assert_int_equal(accept_call_max_queue_bytes(&f->options, f->redis),
                     ((2 << 20) + 2) / 3);
}

/* A sealed window takes no more ids: they are counted in the next one. */
static void
test_a_sealed_window_is_over(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);
    int64_t least, most;
    char sealed[24];

    snprintf(sealed, sizeof(sealed), "%lld", (long long)window_s);
    redis_do(f->redis, "SET", "verve:{0}:sealed", sealed, NULL);
    redis_do(f->redis, "DEL", key_of("sets", window_s), NULL);
    assert_int_equal(count_one(f, 1), window_s + HOUR_S);
    assert_int_equal(count_of(f, window_s), 1);
    assert_int_equal(count_of(f, window_s + HOUR_S), 1);
    /*
     * Ids are remembered as long as their window is on, even if it lies far
     * ahead.
     */
    ttls_of(f, "verve:{0}:s*:1*", &least, &most);
    assert_in_range(least, 2 * HOUR_S - 5, 3 * HOUR_S);
    assert_in_range(most, 2 * HOUR_S, 3 * HOUR_S);
}

/* The sealed window may have another length, and lie inside a window of now. */
static void
test_after_a_sealed_one_of_another_length(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);
    char sealed[24];

    snprintf(sealed, sizeof(sealed), "%lld", (long long)window_s + 60);
    redis_do(f->redis, "SET", "verve:{0}:sealed", sealed, NULL);
    assert_int_equal(count_one(f, 1), window_s + HOUR_S);
}

/* Ids are valid until the window ends, or until Redis might be away. */
static void
test_how_long_it_holds(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);
    int64_t before_ms = clock_mono_ms();
    struct counter_window window = commit_batch(f->redis, f->counter, &one, 1);
    int64_t left_ms;

    assert_in_range(window.until_ms, before_ms, clock_mono_ms() + 2000);
    assert_int_equal(
        strtoll(redis_do(f->redis, "GET", "verve:{0}:born", NULL), NULL, 10),
        window.born_us / 1000000);
    f->options.redis.timeout_ms = 10 * HOUR_S * 1000;
    left_ms = window.start_s * 1000 + HOUR_S * 1000 - clock_wall_ms();
    window = commit_batch(f->redis, f->counter, &one, 1);
    assert_in_range(window.until_ms, before_ms + left_ms - 5000,
                    clock_mono_ms() + left_ms);
}

/* Ids that are new, of a batch with or without jobs; an estimate for hll. */
static void
test_tells_how_many_ids_are_new(void **state)
{
    struct fixture *f = *state;
    struct counter_request batch[] = {request(1, NULL), request(2, NULL),
                                      request(1, NULL)};
    struct counter_request jobs[] = {request(1, "http://h/"),
                                     request(3, "http://h/")};

    assert_int_equal(commit_batch(f->redis, f->counter, batch, 3).added, 2);
    assert_int_equal(commit_batch(f->redis, f->counter, batch, 3).added, 0);
    assert_int_equal(commit_batch(f->redis, f->counter, jobs, 2).added, 1);
}

struct runs {
    int done[COUNTER_SCRIPTS_COUNT];
    int failed[COUNTER_SCRIPTS_COUNT];
};

static void
note_run(void *context, enum counter_script script, enum redis_result result,
         int64_t us)
{
    struct runs *runs = context;

    *(result == REDIS_DONE ? &runs->done[script] : &runs->failed[script]) += 1;
    assert_in_range(us, 0, 10000000);
}

static void
test_tells_of_each_run(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);
    struct runs runs = {0};
    struct probe probe;

    counter_observe(f->counter, note_run, &runs);
    count_one(f, 1);
    assert_int_equal(runs.done[COUNTER_SCHEMA], 1);
    assert_in_range(runs.done[COUNTER_ACCEPT], 1, 3); /* it guesses first */
    assert_int_equal(runs.failed[COUNTER_ACCEPT], 0);
    probe = probe_shard(f->redis, f->counter);
    assert_int_equal(probe.fault, PROBE_READY);
    assert_true(probe.looked);
    assert_int_equal(runs.done[COUNTER_PROBE], 1);

    redis_do(f->redis, "DEL", "verve:{0}:open", NULL);
    redis_do(f->redis, "SET", "verve:{0}:open", "no sorted set", NULL);
    redis_do(f->redis, "DEL",
             key_of("count", clock_wall_ms() / 1000 / HOUR_S * HOUR_S), NULL);
    assert_int_equal(commit_batch(f->redis, f->counter, &one, 1).start_s, 0);
    assert_int_equal(runs.failed[COUNTER_ACCEPT], 1);
    counter_observe(f->counter, NULL, NULL);
}

/* If a key in Redis is wrong, a batch changes nothing. */
static void
check_refused(struct fixture *f)
{
    struct counter_request batch[] = {request(91, "http://h/"),
                                      request(92, NULL)};

    assert_int_equal(commit_batch(f->redis, f->counter, batch, 2).start_s, 0);
    assert_int_equal(batch[0].answer, COUNTER_UNAVAILABLE);
    assert_int_equal(batch[1].answer, COUNTER_UNAVAILABLE);
}

static void
test_all_or_nothing(void **state)
{
    static const char *const counts[] = {"many", "1.5",  "9223372036854775807",
                                         "-1",   "1e3",  "007",
                                         " 5",   "0x10", "+5"};
    static const char *const keys[] = {
        "verve:{0}:callbacks",    "verve:{0}:due",
        "verve:{0}:destinations", LIST_OF_H,
        "verve:{0}:strangers",    "verve:{0}:proven",
        "verve:{0}:sealed"};
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        redis_do(f->redis, "SET", key_of("count", window_s), counts[i], NULL);
        check_refused(f);
    }
    redis_do(f->redis, "DEL", key_of("count", window_s), NULL);
    redis_do(f->redis, "RPUSH", key_of("count", window_s), "x", NULL);
    check_refused(f);
    redis_do(f->redis, "DEL", key_of("count", window_s), NULL);
    redis_do(f->redis, "SET", key_of("count", window_s), "1", NULL);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        redis_do(f->redis, "HSET", keys[i], "x", "y", NULL);
        check_refused(f);
        redis_do(f->redis, "DEL", keys[i], NULL);
    }
    redis_do(f->redis, "SET", "verve:{0}:queue", "x", NULL);
    check_refused(f);
    redis_do(f->redis, "DEL", "verve:{0}:queue", NULL);
    count_one(f, 91);
    count_one(f, 92);
    assert_int_equal(count_of(f, window_s), 3);
}

/* Only an operator writes that; INCRBY accepts it. The estimate of hll still
   includes the first id. */
static void
test_a_count_of_zero_is_a_count(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);

    redis_do(f->redis, "SET", key_of("count", window_s), "0", NULL);
    assert_int_equal(count_one(f, 2), window_s);
    assert_int_equal(count_of(f, window_s), strategy == DEDUP_HLL ? 2 : 1);
}

static void
test_a_forgotten_script_is_loaded_again(void **state)
{
    struct fixture *f = *state;

    count_one(f, 1);
    redis_do(f->redis, "SCRIPT", "FLUSH", NULL);
    count_one(f, 2);
}

/* A count that is gone before the window is sealed must not read as zero. */
static void
test_a_window_is_open_once_it_counts(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)window_s);
    assert_string_equal(
        redis_do(f->redis, "ZSCORE", "verve:{0}:open", text, NULL), text);
    count_one(f, 2);
    assert_string_equal(redis_do(f->redis, "ZCARD", "verve:{0}:open", NULL),
                        "1");
    assert_string_equal(redis_do(f->redis, "TTL", "verve:{0}:open", NULL),
                        "-1");
    /* If the count can't be written, no id is marked as seen. */
    redis_do(f->redis, "FLUSHALL", NULL);
    redis_do(f->redis, "SET", "verve:{0}:open", "x", NULL);
    check_refused(f);
    redis_do(f->redis, "DEL", "verve:{0}:open", NULL);
    assert_int_equal(count_of(f, count_one(f, 91)), 1);
}

/* There is no replica: the id is counted, but the answer is not `counted`. */
static void
test_too_few_replicas(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);
    int64_t window_s = count_one(f, 2);

    f->options.redis.wait_replicas = 1;
    assert_int_equal(commit_batch(f->redis, f->counter, &one, 1).start_s, 0);
    assert_int_equal(one.answer, COUNTER_UNAVAILABLE);
    f->options.redis.wait_replicas = 0;
    count_one(f, 1);
    assert_int_equal(count_of(f, window_s), 2);
}

/* The schema is lost with the data: it is written again. */
static void
test_agreement_is_restored(void **state)
{
    struct fixture *f = *state;

    count_one(f, 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    assert_int_equal(count_of(f, count_one(f, 1)), 1);
    assert_string_equal(
        redis_do(f->redis, "HGET", "verve:{0}:meta", "window_seconds", NULL),
        "3600");
}

/* Only an operator writes that. */
static void
test_data_that_began_at_no_time(void **state)
{
    struct fixture *f = *state;
    struct counter_request one = request(1, NULL);

    count_one(f, 1);
    redis_do(f->redis, "SET", "verve:{0}:born", "noon", NULL);
    commit_batch(f->redis, f->counter, &one, 1);
    assert_int_equal(one.answer, COUNTER_UNAVAILABLE);
    assert_true(counter_was_refused(f->counter));
    redis_do(f->redis, "DEL", "verve:{0}:born", NULL);
    count_one(f, 1);
}

/* After the reset another program wrote its schema first. */
static void
test_another_agreement_is_refused(void **state)
{
    struct fixture *f = *state;
    struct options other = f->options;
    char born[SCHEMA_BORN_SIZE];

    count_one(f, 1);
    redis_do(f->redis, "FLUSHALL", NULL);
    other.window.seconds = 60;
    assert_int_equal(schema_agree(&other, f->redis, born), REDIS_DONE);
    check_refused(f);
    assert_true(counter_was_refused(f->counter));
    assert_non_null(strstr(redis_error(f->redis),
                           "window_seconds is 60 there and 3600 here"));
    assert_string_equal(redis_do(f->redis, "DBSIZE", NULL), "3");
}

static long long
sealed_of(struct fixture *f)
{
    return strtoll(redis_do(f->redis, "GET", "verve:{0}:sealed", NULL), NULL,
                   10);
}

/* If the clock was ahead and is back, earlier windows stay closed. */
static void
test_a_first_id_seals_what_counted_before(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);
    char before[24];

    assert_int_equal(sealed_of(f), 0);
    snprintf(before, sizeof(before), "%lld", (long long)window_s - 9 * HOUR_S);
    redis_do(f->redis, "FLUSHALL", NULL);
    redis_do(f->redis, "ZADD", "verve:{0}:open", before, before, NULL);
    counter_close(f->counter); /* it remembers that its window is later */
    f->counter = counter_open(&f->options, f->redis);
    count_one(f, 1);
    assert_int_equal(sealed_of(f), window_s - 9 * HOUR_S);
    count_one(f, 2);
    assert_int_equal(sealed_of(f), window_s - 9 * HOUR_S);
}

/*
 * If ids or their count may be gone, the window is closed, and the next is on.
 */
static void
test_what_is_not_whole_is_sealed(void **state)
{
    struct fixture *f = *state;
    char pattern[64];
    int64_t window_s, least, most;

    window_s = count_one(f, 1);
    snprintf(pattern, sizeof(pattern), "verve:{0}:whole:*:%lld",
             (long long)window_s);
    ttls_of(f, pattern, &least, &most);
    assert_in_range(least, HOUR_S, 2 * HOUR_S);
    redis_do(f->redis, "DEL", key_of("whole:setnx", window_s), NULL);
    redis_do(f->redis, "DEL", key_of("whole:set", window_s), NULL);
    redis_do(f->redis, "DEL", key_of("whole:hll", window_s), NULL);
    assert_int_equal(count_one(f, 1), window_s + HOUR_S);
    assert_int_equal(sealed_of(f), window_s);
    assert_int_equal(count_of(f, window_s), 1);
    assert_int_equal(count_of(f, window_s + HOUR_S), 1);
    redis_do(f->redis, "DEL", key_of("count", window_s + HOUR_S), NULL);
    assert_int_equal(count_one(f, 1), window_s + 2 * HOUR_S);
    assert_int_equal(sealed_of(f), window_s + HOUR_S);
    assert_int_equal(count_of(f, window_s + 2 * HOUR_S), 1);
}

/* The strategy is changed while a window is on. */
static void
test_another_strategy_begins_the_next_window(void **state)
{
    struct fixture *f = *state;
    struct options other = f->options;
    int64_t window_s = 0, least, most;

    for (int to = DEDUP_SETNX; to <= DEDUP_HLL; to++) {
        struct counter_request batch[128];
        bool same = to == (int)f->options.dedup.strategy;
        struct counter *counter;
        long long before;

        other.dedup.strategy = to;
        redis_do(f->redis, "FLUSHALL", NULL);
        for (int64_t id = 0; id < 300; id++) {
            window_s = count_one(f, id);
        }
        before = count_of(f, window_s);
        redis_do(f->redis, "DEL", "verve:{0}:meta", NULL);
        counter = counter_open(&other, f->redis);
        for (size_t i = 0; i < 128; i++) {
            batch[i] = request((int64_t)i, NULL);
        }
        assert_int_equal(commit_batch(f->redis, counter, batch, 128).start_s,
                         same ? window_s : window_s + HOUR_S);
        assert_int_equal(batch[0].answer, COUNTER_COUNTED);
        assert_int_equal(count_of(f, window_s), before);
        if (!same) {
            assert_in_range(count_of(f, window_s + HOUR_S), 125, 131);
        }
        ttls_of(f, "verve:{0}:se*:1*", &least, &most);
        assert_in_range(least, 1, 3 * HOUR_S);
        counter_close(counter);
    }
}

/*
 * The window lasts longer than the retention then, and so does its count; its
 * ids live as long, and for one window more.
 */
static void
test_after_a_clock_that_was_far_ahead(void **state)
{
    struct fixture *f = *state;
    int64_t window_s = count_one(f, 1);
    int64_t least, most;
    char text[48];

    snprintf(text, sizeof(text), "%lld", (long long)(window_s + 9 * HOUR_S));
    redis_do(f->redis, "SET", "verve:{0}:sealed", text, NULL);
    window_s = count_one(f, 1);
    assert_in_range(
        strtoll(redis_do(f->redis, "TTL", key_of("count", window_s), NULL),
                NULL, 10),
        10 * HOUR_S, 12 * HOUR_S);
    snprintf(text, sizeof(text), "verve:{0}:se*:%lld*", (long long)window_s);
    ttls_of(f, text, &least, &most);
    assert_in_range(least, 11 * HOUR_S, 12 * HOUR_S);
    assert_in_range(most, least, 12 * HOUR_S);
}

static int
run_all(const char *name)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counts_unique_ids),
        TEST(test_large_ids_are_told_apart),
        TEST(test_all_keys_of_a_window_expire),
        TEST(test_jobs_carry_the_running_count),
        TEST(test_jobs_carry_the_trace),
        TEST(test_a_full_queue_counts_nothing),
        TEST(test_jobs_go_to_the_list_of_their_destination),
        TEST(test_a_queue_of_too_many_bytes_counts_nothing),
        TEST(test_a_limit_of_bytes_is_for_all_shards),
        TEST(test_a_proven_destination_is_no_stranger),
        TEST(test_a_sealed_window_is_over),
        TEST(test_after_a_sealed_one_of_another_length),
        TEST(test_how_long_it_holds),
        TEST(test_tells_how_many_ids_are_new),
        TEST(test_tells_of_each_run),
        TEST(test_all_or_nothing),
        TEST(test_a_count_of_zero_is_a_count),
        TEST(test_another_strategy_begins_the_next_window),
        TEST(test_after_a_clock_that_was_far_ahead),
        TEST(test_a_first_id_seals_what_counted_before),
        TEST(test_what_is_not_whole_is_sealed),
        TEST(test_a_window_is_open_once_it_counts),
        TEST(test_a_forgotten_script_is_loaded_again),
        TEST(test_too_few_replicas),
        TEST(test_agreement_is_restored),
        TEST(test_another_agreement_is_refused),
        TEST(test_data_that_began_at_no_time),
    };

    return cmocka_run_group_tests_name(name, tests, start_server, stop_server);
}

int
main(void)
{
    int failed;

    strategy = DEDUP_SETNX;
    failed = run_all("counter setnx");
    strategy = DEDUP_SET;
    failed += run_all("counter set");
    strategy = DEDUP_HLL;
    failed += run_all("counter hll");
    return failed;
}
