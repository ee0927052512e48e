/*
 * test_job_queue: the queue against a real Redis. A job is never lost, its
 * bytes never change, and a reporter whose lease has run out changes nothing.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "redis_fixture.h"
#include "store/job_queue.h"
#include "store/origin.h"

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define LIST "verve:{0}:callbacks"
#define DUE "verve:{0}:due"
#define DEAD "verve:{0}:dead"
#define QUEUE "verve:{0}:queue"
#define DESTINATIONS "verve:{0}:destinations"
#define STRANGERS "verve:{0}:strangers"
#define PROVEN "verve:{0}:proven"

enum { TAKEN_MAX = 1024, KEPT_MS = 60000 };

struct fixture {
    struct options options;
    struct redis *redis;
    struct job_queue *queue;
    struct job_queue *others; /* another reporter */
    struct job *taken[TAKEN_MAX];
    size_t count;
    struct job_queue_claimed claimed; /* result of the last claim */
    struct job_queue_looked looked;   /* result of the last look */
    struct job_queue_wish wishes[JOB_QUEUE_FOUND_MAX];
    char *origins[JOB_QUEUE_FOUND_MAX]; /* of the wishes */
    bool proven[JOB_QUEUE_FOUND_MAX];   /* whether Redis knows that */
    size_t wished;
    size_t unreadable; /* found by the looks of the last claim */
    bool unsure;       /* the reply to the last claim was lost */
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture){0};
    f->options.redis.prefix = (char *)"verve";
    f->options.callbacks.lease_s = 30;
    f->options.callbacks.max_dead = 100;
    f->redis = connect_to_empty();
    f->queue = job_queue_open(&f->options, f->redis);
    f->others = job_queue_open(&f->options, f->redis);
    *state = f;
    if (f->redis == NULL || f->queue == NULL || f->others == NULL) {
        return -1;
    }
    return 0;
}

static void
forget_wishes(struct fixture *f)
{
    while (f->wished > 0) {
        free(f->origins[--f->wished]);
    }
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->count; i++) {
        job_free(f->taken[i]);
    }
    forget_wishes(f);
    job_queue_close(f->queue);
    job_queue_close(f->others);
    redis_close(f->redis);
    return 0;
}

/* The text of a job whose id is c and whose count is n. */
static const char *
text_of(const char *id, long long n)
{
    static char text[256];

    snprintf(text, sizeof(text),
             "{\"v\":1,\"id\":\"%s\",\"url\":\"http://h/\",\"window\":60,"
             "\"count\":%lld}",
             id, n);
    return text;
}

static void
push(struct fixture *f, const char *text)
{
    redis_do(f->redis, "RPUSH", LIST, text, NULL);
}

static void
take(void *context, struct job *job)
{
    struct fixture *f = context;

    assert_true(f->count < TAKEN_MAX);
    f->taken[f->count++] = job;
}

/* A destination that is found; it is wished for. */
static void
find(void *context, const char *origin, bool proven)
{
    struct fixture *f = context;

    f->proven[f->wished] = proven;
    f->origins[f->wished] = strdup(origin);
    f->wishes[f->wished] =
        (struct job_queue_wish){.origin = f->origins[f->wished]};
    f->wished++;
}

/* Looks until all jobs are in the lists of their destinations. */
static void
look_by(struct fixture *f, struct job_queue *queue)
{
    struct job_queue_flushed flushed;

    f->unreadable = 0;
    do {
        forget_wishes(f);
        assert_int_equal(job_queue_look(queue, SIZE_MAX, find, f, &f->looked),
                         0);
        f->unreadable += f->looked.unreadable;
        if (f->looked.unreadable > 0) {
            assert_int_equal(job_queue_flush(queue, &flushed), 0);
        }
    } while (f->looked.more);
}

/* Claims what is wished for. */
static int
claim_again(struct fixture *f)
{
    return job_queue_claim(f->queue, f->wishes, f->wished, take, f,
                           &f->claimed);
}

/*
 * Claims at most `most` jobs of each destination, and returns the ids of the
 * jobs in order, as one text.
 */
static const char *
claim_by(struct fixture *f, struct job_queue *queue, size_t most)
{
    static char ids[TAKEN_MAX * 2];
    size_t before = f->count;

    ids[0] = '\0';
    if (!f->unsure) {
        look_by(f, queue);
    }
    f->unsure = false;
    for (size_t i = 0; i < f->wished; i++) {
        f->wishes[i].most = most;
    }
    assert_int_equal(
        job_queue_claim(queue, f->wishes, f->wished, take, f, &f->claimed), 0);
    assert_int_equal(f->count - before, f->claimed.count);
    for (size_t i = before; i < f->count; i++) {
        strcat(ids, f->taken[i]->id);
    }
    return ids;
}

static const char *
claim(struct fixture *f, size_t most)
{
    return claim_by(f, f->queue, most);
}

/* The last job that was claimed; the caller owns it. */
static struct job *
pop(struct fixture *f)
{
    assert_true(f->count > 0);
    return f->taken[--f->count];
}

static struct job_queue_flushed
flush(struct fixture *f)
{
    struct job_queue_flushed flushed;

    assert_int_equal(job_queue_flush(f->queue, &flushed), 0);
    assert_int_equal(job_queue_unflushed(f->queue), 0);
    return flushed;
}

static void
settle(struct fixture *f, enum job_disposition disposition, int64_t delay_ms,
       const char *error)
{
    job_queue_settle(f->queue, pop(f), disposition, delay_ms, error);
}

static void
pause_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* The list of an origin. Valid until the next call. */
static const char *
list_of(const char *origin)
{
    static char key[128];
    char hash[ORIGIN_HASH_SIZE];

    assert_int_equal(origin_hash(origin, hash), 0);
    snprintf(key, sizeof(key), LIST ":%s", hash);
    return key;
}

/* The number of jobs that wait for http://h/, of those in due and dead. */
static void
assert_holds(struct fixture *f, const char *list, const char *due,
             const char *dead)
{
    assert_string_equal(
        redis_do(f->redis, "LLEN", list_of("http://h:80"), NULL), list);
    assert_string_equal(redis_do(f->redis, "ZCARD", DUE, NULL), due);
    assert_string_equal(redis_do(f->redis, "LLEN", DEAD, NULL), dead);
}

static void
test_claims_the_oldest_first(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(claim(f, 10), "");
    push(f, text_of("a", 1));
    push(f, text_of("b", 2));
    push(f, text_of("c", 3));
    assert_string_equal(claim(f, 2), "ab");
    assert_int_equal(f->wishes[0].left, 1);
    assert_string_equal(claim(f, 2), "c");
    assert_int_equal(f->wishes[0].left, 0);
    assert_string_equal(claim(f, 2), "");
    assert_holds(f, "0", "3", "0");
}

static void
test_a_job_says_all_that_was_pushed(void **state)
{
    static const char text[] =
        "{\"v\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
        "\"url\":\"https://h:1/p?a=\\\"\\\\b/\\u0041\",\"window\":1767322980,"
        "\"at\":1767322983123,\"count\":9223372036854775807}";
    struct fixture *f = *state;
    struct job *job;

    push(f, text);
    claim(f, 1);
    job = f->taken[0];
    assert_string_equal(job->id, "0123456789abcdef0123456789abcdef");
    assert_string_equal(job->url, "https://h:1/p?a=\"\\b/A");
    assert_int_equal(job->window_s, 1767322980);
    assert_int_equal(job->at_ms, 1767322983123);
    assert_true(job->count == INT64_MAX);
    assert_int_equal(job->attempts, 0);
    assert_int_equal(job->json_len, strlen(text));
    assert_memory_equal(job->json, text, strlen(text));
}

/* A job of an older version has no "at". An "at" of no sense does no harm. */
static void
test_a_job_without_its_moment_is_valid(void **state)
{
    static const char *const members[] = {
        "",
        ",\"at\":\"1767322983123\"",
        ",\"at\":1.5",
        ",\"at\":null",
        ",\"at\":-1",
        ",\"at\":253402300799001",
        ",\"at\":9223372036854775807",
    };
    struct fixture *f = *state;
    char text[160];

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,"
                 "\"count\":7%s}",
                 members[i]);
        push(f, text);
        assert_string_equal(claim(f, 1), "a");
        if (f->taken[0]->at_ms != 0) {
            fail_msg("row %zu has a moment: %s", i, members[i]);
        }
        settle(f, JOB_DELIVERED, 0, "");
        flush(f);
    }
}

/* An operator may have written it: it is checked as a header is. */
static void
test_a_job_has_a_trace_that_is_checked(void **state)
{
    static const struct {
        const char *members;
        const char *traceparent, *tracestate, *request_id;
    } rows[] = {
        {",\"tp\":\"" TRACEPARENT "\",\"ts\":\"a=1\",\"rid\":\"r\"",
         TRACEPARENT, "a=1", "r"},
        {",\"tp\":\"" TRACEPARENT "\",\"ts\":\"a\\r\\nX: 1\",\"rid\":\"r "
         "\\r\\nX: 1\"",
         TRACEPARENT, "", ""},
        {",\"tp\":\"" TRACEPARENT "\\r\\nX: 1\",\"ts\":\"a=1\",\"rid\":\"r\"",
         "", "", "r"},
        {",\"tp\":1,\"ts\":[],\"rid\":\"r\"", "", "", "r"},
    };
    struct fixture *f = *state;
    char text[320];

    push(f, text_of("a", 1));
    claim(f, 1);
    assert_null(f->taken[0]->trace);
    settle(f, JOB_DELIVERED, 0, "");
    flush(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct trace_context *trace;

        snprintf(text, sizeof(text), "%s", text_of("a", 1));
        snprintf(text + strlen(text) - 1, sizeof(text) / 2, "%s}",
                 rows[i].members);
        push(f, text);
        claim(f, 1);
        trace = f->taken[0]->trace;
        assert_non_null(trace);
        assert_string_equal(trace->traceparent, rows[i].traceparent);
        assert_string_equal(trace->tracestate, rows[i].tracestate);
        assert_string_equal(trace->request_id, rows[i].request_id);
        settle(f, JOB_DELIVERED, 0, "");
        flush(f);
    }
}

static void
test_a_delivered_job_is_gone(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    claim(f, 2);
    settle(f, JOB_DELIVERED, 0, "");
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(job_queue_unflushed(f->queue), 2);
    assert_int_equal(flush(f).stale, 0);
    assert_holds(f, "0", "0", "0");
}

/* Without a trace: not in the dead list either. */
static void
test_a_dropped_job_is_gone(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    push(f, text_of("c", 1));
    claim(f, 3);
    settle(f, JOB_DROPPED, 0, "blocked");
    settle(f, JOB_DEAD, 0, "status-410");
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(flush(f).stale, 0);
    assert_holds(f, "0", "0", "1");
}

/*
 * The first job claimed is text_of("a", 7), with end in place of its last
 * brace.
 */
static void
assert_job_json(struct fixture *f, const char *end)
{
    char wanted[320];

    snprintf(wanted, sizeof(wanted), "%s", text_of("a", 7));
    snprintf(wanted + strlen(wanted) - 1, 64, "%s", end);
    assert_int_equal(f->taken[0]->json_len, strlen(wanted));
    assert_memory_equal(f->taken[0]->json, wanted, strlen(wanted));
}

static void
test_a_retry_waits_and_counts(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 7));
    claim(f, 1);
    settle(f, JOB_RETRY, 2000, "timeout");
    flush(f);
    assert_string_equal(claim(f, 1), "");
    pause_ms(2030);
    assert_string_equal(claim(f, 1), "a");
    assert_int_equal(f->taken[0]->attempts, 1);
    assert_int_equal(f->taken[0]->count, 7);
    assert_job_json(f, ",\"error\":\"timeout\"}");
    settle(f, JOB_RETURN, 0, "");
    flush(f);
    assert_string_equal(claim(f, 1), "a");
    assert_int_equal(f->taken[0]->attempts, 1);
    assert_job_json(f, ",\"error\":\"timeout\"}");
    settle(f, JOB_RETRY, 0, "status-500");
    flush(f);
    assert_string_equal(claim(f, 1), "a");
    assert_job_json(f, ",\"error\":\"status-500\"}");
}

/* A job that is tried again goes behind those that wait. */
static void
test_a_retry_waits_behind_the_others(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    assert_string_equal(claim(f, 1), "a");
    settle(f, JOB_RETRY, 0, "");
    flush(f);
    assert_string_equal(claim(f, 5), "ba");
    assert_int_equal(f->taken[0]->attempts, 0);
    assert_int_equal(f->taken[1]->attempts, 1);
}

static void
test_a_lease_that_ran_out_is_anothers(void **state)
{
    struct fixture *f = *state;
    struct job *lost;

    f->options.callbacks.lease_s = 2;
    push(f, text_of("a", 1));
    claim(f, 1);
    lost = pop(f);
    assert_string_equal(claim_by(f, f->others, 1), "");
    pause_ms(2050);
    assert_string_equal(claim_by(f, f->others, 1), "a");
    assert_int_equal(f->taken[0]->attempts, 0);

    job_queue_settle(f->queue, lost, JOB_DELIVERED, 0, "");
    assert_int_equal(flush(f).stale, 1);
    assert_holds(f, "0", "1", "0");
    job_queue_settle(f->others, pop(f), JOB_DELIVERED, 0, "");
    assert_int_equal(job_queue_flush(f->others, &(struct job_queue_flushed){0}),
                     0);
    assert_holds(f, "0", "0", "0");
}

/* Begins attempts for the last count jobs, and marks them. */
static void
begin(struct fixture *f, size_t count)
{
    for (size_t i = f->count - count; i < f->count; i++) {
        assert_int_equal(job_queue_begin(f->queue, f->taken[i]), 0);
    }
    pause_ms(JOB_QUEUE_MARK_MS + 1);
    assert_int_equal(job_queue_mark(f->queue), 0);
}

/* If the reporter is killed, an attempt that has begun counts; a job that only
   waited loses none, however often. */
static void
test_only_what_began_counts(void **state)
{
    struct fixture *f = *state;

    f->options.callbacks.lease_s = 1;
    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    claim(f, 2);
    assert_int_equal(job_queue_begin(f->queue, f->taken[0]), 0);
    job_queue_mark(f->queue); /* too early */
    pause_ms(JOB_QUEUE_MARK_MS + 1);
    assert_int_equal(job_queue_mark(f->queue), 0);
    for (int kill = 0; kill < 3; kill++) {
        pause_ms(1050);
        assert_int_equal(strlen(claim_by(f, f->others, 2)), 2);
    }
    for (size_t i = 6; i < 8; i++) {
        assert_int_equal(f->taken[i]->attempts, f->taken[i]->id[0] == 'a');
    }
    assert_holds(f, "0", "2", "0");
}

/* A job that may have killed a reporter is marked before its attempt begins. */
static void
test_a_doubtful_job_is_marked_at_once(void **state)
{
    struct fixture *f = *state;

    f->options.callbacks.lease_s = 1;
    push(f, text_of("a", 1));
    claim(f, 1);
    for (int kill = 0; kill < 4; kill++) {
        pause_ms(1050);
        assert_string_equal(claim(f, 1), "a");
        assert_int_equal(f->taken[f->count - 1]->attempts, (kill + 1) / 2);
        if (kill == 0 || kill == 2) {
            assert_int_equal(job_queue_begin(f->queue, f->taken[f->count - 1]),
                             0);
        }
    }
}

/* Each way in which an attempt ends, before it is marked and after that. */
static void
test_marked_or_not_a_job_is_settled(void **state)
{
    static const enum job_disposition ends[] = {JOB_DELIVERED, JOB_RETRY,
                                                JOB_RETURN, JOB_DEAD};
    struct fixture *f = *state;

    for (size_t i = 0; i < 8; i++) {
        push(f, text_of("a", 1));
    }
    for (size_t i = 0; i < 8; i++) {
        claim(f, 1);
        if (i < 4) {
            begin(f, 1);
        } else {
            job_queue_begin(f->queue, f->taken[f->count - 1]);
        }
        settle(f, ends[i % 4], 60000, "timeout");
        assert_int_equal(flush(f).stale, 0);
    }
    assert_int_equal(job_queue_mark(f->queue), 0);
    assert_holds(f, "0", "2", "2"); /* equal members collapse */
}

/* Each disposition, settled after another reporter claimed the job. */
static void
test_a_stale_settle_does_nothing(void **state)
{
    static const enum job_disposition fates[] = {
        JOB_DELIVERED, JOB_RETRY, JOB_RETURN, JOB_DEAD, JOB_DROPPED};
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
        push(f, text_of("a", 1));
        claim(f, 1);
        redis_do(f->redis, "ZADD", DUE, "0", "theirs 1 {}", NULL);
        redis_do(f->redis, "ZREM", DUE, f->taken[0]->member, NULL);
        settle(f, fates[i], 0, "e");
        assert_int_equal(flush(f).stale, 1);
        assert_holds(f, "0", "1", "0");
        redis_do(f->redis, "FLUSHALL", NULL);
    }
}

static void
test_the_dead_are_bounded(void **state)
{
    struct fixture *f = *state;
    const char *ids[] = {"a", "b", "c", "d", "e"};

    f->options.callbacks.max_dead = 2;
    for (size_t i = 0; i < 5; i++) {
        push(f, text_of(ids[i], INT64_MAX));
        claim(f, 1);
        settle(f, JOB_DEAD, 0, "status-500");
    }
    assert_int_equal(flush(f).dropped, 3);
    assert_string_equal(
        redis_do(f->redis, "LINDEX", DEAD, "0", NULL),
        "{\"v\":1,\"id\":\"d\",\"url\":\"http://h/\",\"window\":60,\"count\":"
        "9223372036854775807,\"attempts\":1,\"error\":\"status-500\"}");
    assert_holds(f, "0", "0", "2");
}

/* As an operator does it: LMOVE dead callbacks RIGHT LEFT. */
static void
test_a_dead_entry_may_be_queued_again(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    claim(f, 1);
    settle(f, JOB_DEAD, 0, "status-410");
    flush(f);
    redis_do(f->redis, "LMOVE", DEAD, LIST, "RIGHT", "LEFT", NULL);
    assert_string_equal(claim(f, 1), "a");
    assert_int_equal(f->taken[0]->attempts, 0);
    settle(f, JOB_DEAD, 0, "timeout");
    flush(f);
    assert_string_equal(
        redis_do(f->redis, "LINDEX", DEAD, "0", NULL),
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,\"count\":1,"
        "\"attempts\":1,\"error\":\"timeout\"}");
}

static void
test_unreadable_jobs_are_buried_as_they_are(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "x",
        "- 0 {}",
        "{}",
        "[]",
        "null",
        "{\"v\":1,\"id\":\"a\"",
        /* one member is missing, has a wrong type or is out of its bounds */
        "{\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,\"count\":1}",
        "{\"v\":2,\"id\":\"a\",\"url\":\"http://h/"
        "\",\"window\":60,\"count\":1}",
        "{\"v\":\"1\",\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"url\":\"http://h/\",\"window\":60,\"count\":1}",
        "{\"v\":1,\"id\":7,\"url\":\"http://h/\",\"window\":60,\"count\":1}",
        "{\"v\":1,\"id\":\"\",\"url\":\"http://h/\",\"window\":60,\"count\":1}",
        "{\"v\":1,\"id\":\"a b\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\\r\\nb\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\\u0000\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"window\":60,\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"file:///etc/passwd\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://u:p@h/\",\"window\":60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":-60,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60.0,"
        "\"count\":1}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":\"1\"}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":9223372036854775808}",
        "{\"v\":1,\"id\":\"a\",\"url\":\"http://h/\",\"window\":60,"
        "\"count\":-1}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        push(f, texts[i]);
        assert_string_equal(claim(f, 1), "");
        if (f->unreadable != 1) {
            fail_msg("row %zu was taken: %s", i, texts[i]);
        }
        flush(f);
        assert_string_equal(redis_do(f->redis, "RPOP", DEAD, NULL), texts[i]);
        assert_holds(f, "0", "0", "0");
    }
}

/* Members of `due` that an operator wrote with redis-cli. */
static void
test_strange_members_are_buried(void **state)
{
    static const char *const members[] = {
        "",   " ",     "- 0",       "- x {}",
        "{}", "a b c", "- -1 {\"}", "- 99999999999999999999 {}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        redis_do(f->redis, "ZADD", DUE, "0", members[i], NULL);
        assert_string_equal(claim(f, 1), "");
        if (f->unreadable != 1) {
            fail_msg("row %zu was taken: %s", i, members[i]);
        }
        flush(f);
        assert_holds(f, "0", "0", "1");
        redis_do(f->redis, "DEL", DEAD, NULL);
    }
}

static void
test_bytes_of_any_value_are_kept(void **state)
{
    static const char bytes[] = "t 0 {\0\n\r\xff\x80\\\"}";
    struct job *job = job_read(bytes, sizeof(bytes) - 1);
    size_t len;
    char *text;

    (void)state;
    assert_non_null(job);
    assert_null(job->url);
    text = job_dead_entry(job, 1, "unreadable", &len);
    assert_int_equal(len, sizeof(bytes) - 1 - 4);
    assert_memory_equal(text, bytes + 4, len);
    free(text);
    text = job_waiting(job, 12, "timeout", &len);
    assert_int_equal(len, sizeof(bytes) - 1 + 1);
    assert_memory_equal(text, "- 12 ", 5);
    assert_memory_equal(text + 5, bytes + 4, len - 5);
    free(text);
    job_free(job);
}

/* It counts how often it came back with an error, and is born again without. */
static void
test_returns_with_an_error_are_counted(void **state)
{
    struct fixture *f = *state;
    const char *entry;

    push(f, text_of("a", 1));
    for (int returned = 0; returned < 3; returned++) {
        assert_string_equal(claim(f, 1), "a");
        assert_int_equal(f->taken[0]->attempts, 0);
        assert_int_equal(f->taken[0]->returned, returned);
        settle(f, JOB_RETURN, 0, "starved");
        flush(f);
        assert_string_equal(claim(f, 1), "a");
        assert_non_null(strstr(f->taken[0]->json, "\"error\":\"starved\""));
        settle(f, JOB_RETURN, 0, ""); /* of another reason: not counted */
        flush(f);
    }
    claim(f, 1);
    settle(f, JOB_DEAD, 0, "starved");
    flush(f);
    assert_holds(f, "0", "0", "1");
    entry = redis_do(f->redis, "LINDEX", DEAD, "0", NULL);
    assert_non_null(strstr(entry, "\"attempts\":1"));
    assert_null(strstr(entry, "returned"));
}

static void
test_large_batches_are_cut(void **state)
{
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < JOB_QUEUE_BATCH * 2 + 10; i++) {
        push(f, text_of("a", (long long)i));
    }
    for (i = 0; i < 3; i++) {
        claim(f, JOB_QUEUE_BATCH);
        assert_int_equal(f->claimed.count, i < 2 ? JOB_QUEUE_BATCH : 10);
        assert_int_equal(f->wishes[0].left,
                         i < 2 ? JOB_QUEUE_BATCH * (1 - i) + 10 : 0);
    }
    while (f->count > 0) {
        settle(f, f->count % 2 == 0 ? JOB_DELIVERED : JOB_RETRY, 0, "");
    }
    assert_int_equal(flush(f).stale, 0);
    assert_holds(f, "0", "261", "0");
}

static void
test_keys_of_a_wrong_type_lose_nothing(void **state)
{
    struct fixture *f = *state;
    struct job_queue_flushed flushed;

    push(f, text_of("a", 1));
    look_by(f, f->queue);
    f->wishes[0].most = 1;
    redis_do(f->redis, "SET", DUE, "x", NULL);
    assert_int_equal(job_queue_look(f->queue, SIZE_MAX, find, f, &f->looked),
                     -1);
    assert_int_equal(claim_again(f), -1);
    redis_do(f->redis, "DEL", DUE, NULL);
    assert_holds(f, "1", "0", "0");

    claim(f, 1);
    redis_do(f->redis, "SET", DEAD, "x", NULL);
    settle(f, JOB_DEAD, 0, "timeout");
    assert_int_equal(job_queue_flush(f->queue, &flushed), -1);
    assert_int_equal(job_queue_unflushed(f->queue), 1);
    redis_do(f->redis, "DEL", DEAD, NULL);
    flush(f);
    assert_holds(f, "0", "0", "1");
}

/* Scripts may not call CONFIG, and redis_do is a script. */
static void
set_max_memory(const char *bytes)
{
    char words[64];

    snprintf(words, sizeof(words), "config set maxmemory %s", bytes);
    assert_int_equal(redis_server_administer(&server, words), 0);
}

/* The queue can be emptied while Redis is out of memory. */
static void
test_no_memory_stops_no_delivery(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    set_max_memory("1");
    assert_non_null(
        strstr(redis_do(f->redis, "RPUSH", LIST, "c", NULL), "OOM"));
    assert_string_equal(claim(f, 2), "ab");
    settle(f, JOB_DELIVERED, 0, "");
    settle(f, JOB_RETRY, 60000, "");
    assert_int_equal(flush(f).stale, 0);
    set_max_memory("0");
    assert_holds(f, "0", "1", "0");
}

static void
wait_until_up(struct fixture *f)
{
    for (int i = 0; i < 500 && redis_state(f->redis) != REDIS_STATE_UP; i++) {
        redis_step(f->redis);
        pause_ms(10);
    }
    assert_int_equal(redis_state(f->redis), REDIS_STATE_UP);
}

/* Settlements wait for Redis. If its data was reset, they are stale. */
static void
test_fates_outlive_an_outage(void **state)
{
    struct fixture *f = *state;
    struct job_queue_flushed flushed;

    push(f, text_of("a", 1));
    claim(f, 1);
    redis_server_kill(&server);
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(job_queue_flush(f->queue, &flushed), -1);
    assert_int_equal(job_queue_look(f->queue, SIZE_MAX, find, f, &f->looked),
                     -1);
    assert_int_equal(claim_again(f), -1);
    assert_int_equal(job_queue_unflushed(f->queue), 1);
    assert_int_equal(redis_server_start(&server), 0);
    wait_until_up(f);
    assert_int_equal(flush(f).stale, 1);
}

/* Redis knows the script from here on. */
static void
learn_claiming(struct fixture *f)
{
    push(f, text_of("z", 1));
    claim(f, 1);
    settle(f, JOB_DELIVERED, 0, "");
    flush(f);
}

/* Claims while Redis hangs; Redis runs the claims when it goes on. */
static void
claim_in_vain(struct fixture *f)
{
    look_by(f, f->queue);
    f->wishes[0].most = 2;
    kill(server.pid, SIGSTOP);
    assert_int_equal(claim_again(f), -1);
    f->unsure = true;
    kill(server.pid, SIGCONT);
    wait_until_up(f);
}

static void
test_a_lost_claim_costs_no_attempt(void **state)
{
    struct fixture *f = *state;

    learn_claiming(f);
    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    push(f, text_of("c", 1));
    claim_in_vain(f);
    assert_holds(f, "1", "2", "0");
    assert_string_equal(claim(f, 1), "ab");
    assert_int_equal(f->taken[0]->attempts, 0);
    assert_string_equal(claim(f, 2), "c");
    settle(f, JOB_DELIVERED, 0, "");
    settle(f, JOB_DELIVERED, 0, "");
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(flush(f).stale, 0);
    assert_holds(f, "0", "0", "0");
}

/* No attempt is lost, even if the lease ran out before Redis answered again. */
static void
test_a_claim_lost_for_long_costs_no_attempt(void **state)
{
    struct fixture *f = *state;

    learn_claiming(f);
    f->options.callbacks.lease_s = 1;
    push(f, text_of("a", 1));
    claim_in_vain(f);
    assert_holds(f, "0", "1", "0");
    pause_ms(1100);
    assert_string_equal(claim(f, 1), "a");
    assert_int_equal(f->taken[0]->attempts, 0);
}

/* Jobs of one destination never wait for those of another. */
static void
test_destinations_have_lists_of_their_own(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1000; i++) {
        push(f, text_of("a", i));
    }
    push(f, "{\"v\":1,\"id\":\"b\",\"url\":\"https://I:443/x\","
            "\"window\":60,\"count\":1}");
    look_by(f, f->queue);
    assert_string_equal(redis_do(f->redis, "EXISTS", LIST, NULL), "0");
    assert_holds(f, "1000", "0", "0");
    assert_int_equal(f->wished, 2);
    assert_string_equal(f->wishes[0].origin, "http://h:80");
    assert_string_equal(f->wishes[1].origin, "https://i:443");
    f->wishes[0].most = 0;
    f->wishes[0].wait_ms = 60000;
    f->wishes[1].most = 10;
    assert_int_equal(claim_again(f), 0);
    assert_int_equal(f->count, 1);
    assert_string_equal(f->taken[0]->id, "b");
    assert_int_equal(f->wishes[0].left, 1000);

    /* There was no room for the first: no look finds it before its time. */
    look_by(f, f->queue);
    assert_int_equal(f->wished, 0);
    assert_string_equal(redis_do(f->redis, "ZCARD", STRANGERS, NULL), "1");
}

/* Those that were served last come last. */
static void
test_destinations_take_turns(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("a", 2));
    look_by(f, f->queue);
    pause_ms(5);
    push(f, "{\"v\":1,\"id\":\"b\",\"url\":\"http://i/\",\"window\":60,"
            "\"count\":1}");
    assert_string_equal(claim(f, 1), "ab");
    pause_ms(5);
    push(f, "{\"v\":1,\"id\":\"c\",\"url\":\"http://i/\",\"window\":60,"
            "\"count\":1}");
    assert_string_equal(claim(f, 1), "ac");
}

static void
assert_counts(struct fixture *f, const char *jobs, size_t bytes)
{
    char wanted[24];

    snprintf(wanted, sizeof(wanted), "%zu", bytes);
    assert_string_equal(redis_do(f->redis, "HGET", QUEUE, "jobs", NULL), jobs);
    assert_string_equal(redis_do(f->redis, "HGET", QUEUE, "bytes", NULL),
                        wanted);
}

/* The hash `queue` follows a job on all of its ways. */
static void
test_jobs_and_bytes_are_counted(void **state)
{
    struct fixture *f = *state;
    size_t bytes = strlen(text_of("a", 1));

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    push(f, text_of("c", 1));
    push(f, "x");
    look_by(f, f->queue);
    assert_counts(f, "3", 3 * bytes); /* x is dead */
    claim(f, 3);
    assert_counts(f, "3", 3 * bytes);
    settle(f, JOB_RETRY, 0, "timeout");
    settle(f, JOB_DEAD, 0, "timeout");
    settle(f, JOB_DELIVERED, 0, "");
    flush(f);
    assert_counts(f, "1", bytes + strlen(",\"error\":\"timeout\""));
    assert_string_equal(claim(f, 3), "c");
    settle(f, JOB_DELIVERED, 0, "");
    flush(f);
    assert_counts(f, "0", 0);
}

/* Whatever an older version or an operator did, the number is right again. */
static void
test_a_wrong_count_is_corrected(void **state)
{
    struct fixture *f = *state;
    size_t bytes = strlen(text_of("a", 1));

    for (int i = 0; i < 4; i++) {
        push(f, text_of("a", i));
    }
    claim(f, 2);
    redis_do(f->redis, "HSET", QUEUE, "jobs", "40", NULL);
    redis_do(f->redis, "ZADD", DESTINATIONS, "1", "http://none:80", NULL);
    assert_int_equal(job_queue_recount(f->queue), 0);
    assert_counts(f, "4", bytes * 4 / 10);
    assert_string_equal(redis_do(f->redis, "ZCARD", STRANGERS, NULL), "1");

    /* Not again soon, and not for the older version's jobs alone. */
    redis_do(f->redis, "HSET", QUEUE, "jobs", "40", NULL);
    assert_int_equal(job_queue_recount(f->queue), 0);
    assert_string_equal(redis_do(f->redis, "HGET", QUEUE, "jobs", NULL), "40");
    redis_do(f->redis, "FLUSHALL", NULL);
    assert_int_equal(job_queue_recount(f->queue), 0);
    assert_string_equal(redis_do(f->redis, "EXISTS", QUEUE, NULL), "0");
}

/* Settled by a reporter that does not count, or after the data was reset. */
static void
test_no_count_is_negative(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    claim(f, 1);
    redis_do(f->redis, "DEL", QUEUE, NULL);
    settle(f, JOB_DELIVERED, 0, "");
    flush(f);
    assert_counts(f, "0", 0);
}

/* The destinations that Redis lists: proven, and strangers. */
static void
assert_listed(struct fixture *f, const char *proven, const char *strangers)
{
    assert_string_equal(redis_do(f->redis, "ZCARD", DESTINATIONS, NULL),
                        proven);
    assert_string_equal(redis_do(f->redis, "ZCARD", STRANGERS, NULL),
                        strangers);
}

/* A destination waits among those of its kind, also if that changes. */
static void
test_proof(void **state)
{
    struct job_queue_proof proof = {"http://h:80", KEPT_MS};
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    look_by(f, f->queue);
    assert_false(f->proven[0]);
    assert_listed(f, "0", "1");
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    assert_listed(f, "1", "0");
    look_by(f, f->queue);
    assert_true(f->proven[0]);
    assert_string_equal(claim(f, 1), "a");
    assert_listed(f, "1", "0");
    proof.kept_ms = 0;
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    assert_listed(f, "0", "1");
    assert_string_equal(claim(f, 1), "b");
    assert_listed(f, "0", "0");
    assert_string_equal(redis_do(f->redis, "EXISTS", PROVEN, NULL), "0");

    /* The proof outlives its jobs, and jobs find it. */
    proof.kept_ms = KEPT_MS;
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    push(f, text_of("c", 1));
    look_by(f, f->queue);
    assert_true(f->proven[0]);
}

/* Tells of count destinations "http://h<first>:80" and so on. */
static void
prove_many(struct fixture *f, int first, int count, int64_t kept_ms)
{
    enum { BATCH = 500 };
    static char origins[BATCH][32];
    struct job_queue_proof proofs[BATCH];

    for (int n = 0; n < count; n += BATCH) {
        int size = count - n < BATCH ? count - n : BATCH;

        for (int i = 0; i < size; i++) {
            snprintf(origins[i], sizeof(origins[i]), "http://h%d:80",
                     first + n + i);
            proofs[i] = (struct job_queue_proof){origins[i], kept_ms};
        }
        assert_int_equal(job_queue_prove(f->queue, proofs, (size_t)size), 0);
    }
}

static void
assert_remembered(struct fixture *f, const char *origin, bool remembered)
{
    const char *score = redis_do(f->redis, "ZSCORE", PROVEN, origin, NULL);

    assert_int_equal(score[0] != '\0', remembered);
}

/* 18,000 hosts that answer once displace no destination in its time. */
static void
test_no_crowd_displaces_a_proof(void **state)
{
    struct job_queue_proof proof = {"http://good:80", KEPT_MS};
    struct fixture *f = *state;

    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    prove_many(f, 0, 18000, KEPT_MS);
    assert_string_equal(redis_do(f->redis, "ZCARD", PROVEN, NULL), "10000");
    assert_remembered(f, "http://good:80", true);
    assert_remembered(f, "http://h17999:80", false);

    /* Those that are known may be noted again, and lost. */
    proof.kept_ms = 2 * KEPT_MS;
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    proof.kept_ms = 0;
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    assert_remembered(f, "http://good:80", false);
    prove_many(f, 17999, 1, KEPT_MS);
    assert_remembered(f, "http://h17999:80", true);
    prove_many(f, 17998, 1, KEPT_MS);
    assert_remembered(f, "http://h17998:80", false);
}

/* A clock that was wrong for a moment keeps no place for years. */
static void
test_a_proof_of_a_wrong_clock_makes_room(void **state)
{
    struct fixture *f = *state;

    prove_many(f, 0, JOB_QUEUE_PROVEN_MAX, KEPT_MS);
    redis_do(f->redis, "ZADD", PROVEN, "9000000000000", "http://h0:80", NULL);
    redis_do(f->redis, "ZADD", PROVEN, "9000000000000", "http://h1:80", NULL);
    prove_many(f, 1, 1, KEPT_MS);
    prove_many(f, 10000, 2, KEPT_MS);
    assert_remembered(f, "http://h0:80", false);
    assert_remembered(f, "http://h1:80", true);
    assert_remembered(f, "http://h10000:80", true);
    assert_remembered(f, "http://h10001:80", false);
}

/* Places whose time is over are there for others. */
static void
test_a_proof_that_is_over_makes_room(void **state)
{
    struct job_queue_proof proof = {"http://good:80", KEPT_MS};
    struct fixture *f = *state;

    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    proof.kept_ms = 1; /* another reporter has just met it */
    assert_int_equal(job_queue_prove(f->queue, &proof, 1), 0);
    prove_many(f, 0, JOB_QUEUE_PROVEN_MAX - 1, 1);
    pause_ms(2);
    assert_remembered(f, "http://h0:80", true); /* while there is room */
    prove_many(f, 10000, JOB_QUEUE_PROVEN_MAX, KEPT_MS);
    assert_string_equal(redis_do(f->redis, "ZCARD", PROVEN, NULL), "10000");
    assert_remembered(f, "http://good:80", true);
    assert_remembered(f, "http://h0:80", false);
    assert_remembered(f, "http://h19998:80", true);
    assert_remembered(f, "http://h19999:80", false);
}

/* No more strangers are found than there is room for. */
static void
test_strangers_are_found_as_asked(void **state)
{
    struct fixture *f = *state;

    push(f, text_of("a", 1));
    look_by(f, f->queue);
    forget_wishes(f);
    assert_int_equal(job_queue_look(f->queue, 0, find, f, &f->looked), 0);
    assert_int_equal(f->wished, 0);
    assert_false(f->looked.more);
}

/* The reply to the mark is lost; Redis has set the mark. */
static void
test_a_lost_mark_is_set_again(void **state)
{
    struct fixture *f = *state;
    struct job_queue_flushed flushed;

    push(f, text_of("a", 1));
    push(f, text_of("b", 1));
    claim(f, 1);
    begin(f, 1); /* Redis knows the script from here on */
    claim(f, 1);
    job_queue_begin(f->queue, f->taken[1]);
    pause_ms(JOB_QUEUE_MARK_MS + 1);
    kill(server.pid, SIGSTOP);
    assert_int_equal(job_queue_mark(f->queue), -1);
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(job_queue_flush(f->queue, &flushed), -1);
    kill(server.pid, SIGCONT);
    wait_until_up(f);
    settle(f, JOB_DELIVERED, 0, "");
    assert_int_equal(flush(f).stale, 0);
    assert_holds(f, "0", "0", "0");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_claims_the_oldest_first),
        TEST(test_a_job_says_all_that_was_pushed),
        TEST(test_a_job_without_its_moment_is_valid),
        TEST(test_a_job_has_a_trace_that_is_checked),
        TEST(test_a_delivered_job_is_gone),
        TEST(test_a_dropped_job_is_gone),
        TEST(test_a_retry_waits_and_counts),
        TEST(test_a_retry_waits_behind_the_others),
        TEST(test_a_lease_that_ran_out_is_anothers),
        TEST(test_only_what_began_counts),
        TEST(test_a_doubtful_job_is_marked_at_once),
        TEST(test_marked_or_not_a_job_is_settled),
        TEST(test_a_stale_settle_does_nothing),
        TEST(test_the_dead_are_bounded),
        TEST(test_a_dead_entry_may_be_queued_again),
        TEST(test_unreadable_jobs_are_buried_as_they_are),
        TEST(test_strange_members_are_buried),
        TEST(test_bytes_of_any_value_are_kept),
        TEST(test_returns_with_an_error_are_counted),
        TEST(test_large_batches_are_cut),
        TEST(test_keys_of_a_wrong_type_lose_nothing),
        TEST(test_no_memory_stops_no_delivery),
        TEST(test_fates_outlive_an_outage),
        TEST(test_a_lost_claim_costs_no_attempt),
        TEST(test_a_claim_lost_for_long_costs_no_attempt),
        TEST(test_destinations_have_lists_of_their_own),
        TEST(test_destinations_take_turns),
        TEST(test_jobs_and_bytes_are_counted),
        TEST(test_a_wrong_count_is_corrected),
        TEST(test_no_count_is_negative),
        TEST(test_proof),
        TEST(test_no_crowd_displaces_a_proof),
        TEST(test_a_proof_of_a_wrong_clock_makes_room),
        TEST(test_a_proof_that_is_over_makes_room),
        TEST(test_strangers_are_found_as_asked),
        TEST(test_a_lost_mark_is_set_again),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("job_queue", tests, start_server,
                                       stop_server);
}
