/*
 * sink_feeder with a fake sink and a real Redis: which records are offered and
 * when, and what moves the cursor.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "closer_fixture.h"
#include "redis_fixture.h"
#include "reports/sink_feeder.h"
#include "store/sink_lease.h"

#define KEY "verve:sink:fake"

/* A single sink, because sink_type.open has no argument to choose one. */
static struct fake {
    struct sink sink;
    int64_t last_s;        /* the last window at the destination */
    int offers;            /* so far */
    int64_t first_s;       /* first window of the last offer */
    size_t count;          /* records of the last offer */
    int drops;             /* so far */
    int forgets;           /* so far */
    bool settles_at_close; /* finish delivers the last offer */
} fake;

struct fixture {
    struct options options;
    struct redis *redis;
    struct store *store;
    struct window_closer *closer;
    struct metrics *metrics;
    struct sink_feeder_shared shared;
    struct sink_feeder *feeder;
    int wakes;
};

static int64_t
fake_last(struct sink *sink)
{
    (void)sink;
    return fake.last_s;
}

static void
fake_offer(struct sink *sink, const struct window_record *records, size_t count)
{
    (void)sink;
    fake.offers++;
    fake.first_s = records[0].start_s;
    fake.count = count;
}

static void
fake_drop(struct sink *sink)
{
    (void)sink;
    fake.drops++;
}

static void
fake_forget(struct sink *sink)
{
    (void)sink;
    fake.forgets++;
}

static void
deliver(int64_t start_s)
{
    fake.sink.events.delivered(fake.sink.events.context, start_s);
}

static void
fake_finish(struct sink *sink)
{
    (void)sink;
    if (fake.settles_at_close) {
        deliver(fake.first_s);
    }
}

static void
fake_close(struct sink *sink)
{
    (void)sink;
}

static struct sink *fake_open(const struct options *options,
                              struct event_loop *loop,
                              const struct sink_events *events);

static const struct sink_type fake_type = {
    .kind = SINK_FILE,
    .most = 4,
    .open = fake_open,
    .close = fake_close,
    .last = fake_last,
    .offer = fake_offer,
    .finish = fake_finish,
    .drop = fake_drop,
    .forget = fake_forget,
};

static struct sink *
fake_open(const struct options *options, struct event_loop *loop,
          const struct sink_events *events)
{
    (void)options;
    (void)loop;
    fake.sink = (struct sink){
        .type = &fake_type, .events = *events, .name = (char *)"fake"};
    return &fake.sink;
}

static void
on_wake(void *context)
{
    ((struct fixture *)context)->wakes++;
}

/* Adds records of windows of 1 s, from..to, as another reporter would. */
static void
add_records(struct fixture *f, int64_t from_s, int64_t to_s)
{
    char id[32];

    for (; from_s <= to_s; from_s++) {
        snprintf(id, sizeof(id), "%" PRId64 "-0", from_s);
        redis_do(f->redis, "XADD", "verve:windows", id, "count", "1", "late",
                 "0", "gap", "0", NULL);
    }
}

static int64_t
saved_cursor(struct fixture *f)
{
    return strtoll(redis_do(f->redis, "HGET", KEY, "cursor", NULL), NULL, 10);
}

static void
assert_offered(int offers, int64_t first_s, size_t count)
{
    assert_int_equal(fake.offers, offers);
    assert_int_equal(fake.first_s, first_s);
    assert_int_equal(fake.count, count);
}

static void
test_offered_step_by_step(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 106);
    sink_feeder_renew_lease(f->feeder);
    assert_false(sink_feeder_serve(f->feeder));
    assert_offered(1, 101, 4);

    /* No further offer before all records are settled. */
    deliver(102);
    assert_int_equal(f->wakes, 0);
    assert_false(sink_feeder_serve(f->feeder));
    assert_int_equal(fake.offers, 1);
    assert_int_equal(saved_cursor(f), 102);
    deliver(104);
    assert_int_equal(f->wakes, 1);
    sink_feeder_serve(f->feeder);
    assert_offered(2, 105, 2);
    assert_int_equal(saved_cursor(f), 104);
}

static void
test_failed(void **state)
{
    struct fixture *f = *state;
    int64_t until_ms, over_ms;

    add_records(f, 101, 103);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    deliver(101);
    until_ms = clock_mono_ms() + 200;
    fake.sink.events.failed(fake.sink.events.context, 200);
    over_ms = clock_mono_ms() + 200;
    for (;;) {
        sink_feeder_serve(f->feeder);
        if (clock_mono_ms() >= until_ms) {
            break;
        }
        assert_int_equal(fake.offers, 1);
        usleep(10000);
    }
    while (clock_mono_ms() <= over_ms) {
        usleep(10000);
    }
    sink_feeder_serve(f->feeder);
    assert_offered(2, 102, 2); /* without the delivered one */
    fake.sink.events.failed(fake.sink.events.context, 60000);
    sink_feeder_reopen(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_int_equal(fake.offers, 3);
}

static void
test_another_has_the_lease(void **state)
{
    struct fixture *f = *state;
    struct sink_lease *other =
        sink_lease_open(&(struct sink_lease_options){.redis = f->redis,
                                                     .list = f->redis,
                                                     .prefix = "verve",
                                                     .name = "fake",
                                                     .owner = "other"});

    add_records(f, 101, 103);
    sink_lease_keep(other);
    sink_lease_advance(other, 102, INT64_MAX);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_int_equal(fake.offers, 0);
    assert_int_equal(sink_feeder_cursor_s(f->feeder),
                     102); /* known all the same */
    sink_lease_release(other);
    sink_lease_close(other);
    usleep(600 * 1000);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 103, 1);
}

/* Another reporter takes the lease while an offer is not settled. */
static void
test_lease_lost(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 103);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    redis_do(f->redis, "HSET", KEY, "owner", "other", NULL);
    deliver(101);
    /* Tries to save the cursor, and learns that the lease is lost. */
    sink_feeder_serve(f->feeder);
    assert_int_equal(saved_cursor(f), 0);
    sink_feeder_renew_lease(f->feeder);
    assert_int_equal(fake.drops, 1);
    sink_feeder_serve(f->feeder);
    assert_int_equal(fake.offers, 1);
}

/* A window at the destination is delivered, even if Redis's cursor is older. */
static void
test_destination_is_ahead(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 103);
    fake.last_s = 102;
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 103, 1);
    assert_int_equal(saved_cursor(f), 102);
}

/* If Redis has lost the cursor, the cursor is saved again. */
static void
test_cursor_lost(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 101);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    deliver(101);
    redis_do(f->redis, "FLUSHALL", NULL);
    usleep((SINK_LEASE_RENEW_MS + 100) * 1000);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_int_equal(saved_cursor(f), 101);
    assert_int_equal(sink_feeder_cursor_s(f->feeder), 101);
}

/* Sets the cursor back, as `vervectl sinks rewind` does. */
static void
rewind_to(struct fixture *f, const char *cursor, const char *rewound_ms)
{
    redis_do(f->redis, "HSET", KEY, "cursor", cursor, "owner", "vervectl",
             "token", "9", "lease_end_ms", "0", "rewound_ms", rewound_ms, NULL);
}

/* An operator sets the cursor back while an offer is not settled. */
static void
test_rewound(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 106);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    deliver(104);
    sink_feeder_serve(f->feeder);
    assert_offered(2, 105, 2);
    rewind_to(f, "101", "5000");
    deliver(105);
    sink_feeder_serve(f->feeder);
    assert_int_equal(saved_cursor(f), 101); /* the token is another one */
    usleep(600 * 1000);
    sink_feeder_renew_lease(f->feeder);
    assert_int_equal(fake.drops, 1);
    assert_int_equal(fake.forgets, 1);
    sink_feeder_serve(f->feeder);
    assert_offered(3, 102, 4);
    deliver(105);
    sink_feeder_serve(f->feeder);
    assert_offered(4, 106, 1);
    assert_int_equal(fake.forgets, 1);
}

/* What the destination itself has is not written again. */
static void
test_rewound_but_the_destination_is_ahead(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 103);
    fake.last_s = 102;
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    deliver(103);
    rewind_to(f, "100", "5000");
    usleep((SINK_LEASE_RENEW_MS + 100) * 1000);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(2, 103, 1);
}

/* Redis has lost the last seconds: no operator rewound the sink. */
static void
test_an_old_rewind(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 103);
    rewind_to(f, "100", "5000");
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    deliver(103);
    rewind_to(f, "100", "4000");
    usleep((SINK_LEASE_RENEW_MS + 100) * 1000);
    sink_feeder_renew_lease(f->feeder);
    assert_int_equal(sink_feeder_cursor_s(f->feeder), 103);
    assert_int_equal(fake.forgets, 0);
}

/* Windows of the future, written by hand, do not count as delivered. */
static void
test_windows_of_the_future(void **state)
{
    struct fixture *f = *state;
    int64_t implausible_from_s = window_closer_implausible_from_s(f->closer);
    char text[24];

    assert_true(implausible_from_s > 0);
    snprintf(text, sizeof(text), "%" PRId64, implausible_from_s + 3600);
    redis_do(f->redis, "HSET", KEY, "cursor", text, NULL);
    fake.last_s = implausible_from_s;
    add_records(f, 101, 103);
    sink_feeder_renew_lease(f->feeder);
    assert_int_equal(sink_feeder_cursor_s(f->feeder), 0);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 101, 3);
    deliver(102);
    sink_feeder_serve(f->feeder);
    assert_int_equal(saved_cursor(f), 102);
    /* A plausible window counts, even if the cursor is implausible. */
    fake.last_s = 103;
    redis_do(f->redis, "HSET", KEY, "cursor", text, NULL);
    usleep((SINK_LEASE_RENEW_MS + 100) * 1000);
    sink_feeder_renew_lease(f->feeder);
    assert_int_equal(sink_feeder_cursor_s(f->feeder), 102);
}

static void
test_end(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 101);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    fake.settles_at_close = true;
    sink_feeder_close(f->feeder);
    f->feeder = NULL;
    assert_int_equal(saved_cursor(f), 101);
    assert_string_equal(redis_do(f->redis, "HGET", KEY, "lease_end_ms", NULL),
                        "0");
}

/* Starts a new feeder, as after a restart. */
static void
restart(struct fixture *f)
{
    sink_feeder_close(f->feeder);
    f->feeder = sink_feeder_open(&f->shared, &fake_type);
    assert_non_null(f->feeder);
}

/* A new sink that begins with the newest window gets no older one; windows that
   end from now on are not left out, whatever becomes of the offers. */
static void
test_begins_with_the_newest(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 106);
    fake.sink.from_newest = true;
    sink_feeder_renew_lease(f->feeder);
    add_records(f, 107, 108);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 106, 3);
    fake.sink.events.failed(fake.sink.events.context, 0);
    assert_int_equal(saved_cursor(f), 105);
    restart(f);
    fake.sink.from_newest = true;
    add_records(f, 109, 109);
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(2, 106, 4);
}

/* If nothing is recorded yet, the first record is the newest. */
static void
test_begins_with_the_first(void **state)
{
    struct fixture *f = *state;

    fake.sink.from_newest = true;
    sink_feeder_renew_lease(f->feeder);
    add_records(f, 101, 103);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 101, 3);
    fake.sink.events.failed(fake.sink.events.context, 0);
    assert_int_equal(saved_cursor(f), 100);
    restart(f);
    fake.sink.from_newest = true;
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(2, 101, 3);
}

/* A sink that is not new goes on where it was. */
static void
test_goes_on_at_its_cursor(void **state)
{
    struct fixture *f = *state;

    add_records(f, 101, 106);
    redis_do(f->redis, "HSET", KEY, "cursor", "102", NULL);
    fake.sink.from_newest = true;
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_serve(f->feeder);
    assert_offered(1, 103, 4);
}

/* The value of a series in the metrics, as text; "": there is no series. */
static const char *
series(struct fixture *f, const char *name)
{
    static char value[32];
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    const char *found;

    assert_non_null(out);
    metrics_write(f->metrics, out);
    assert_int_equal(fclose(out), 0);
    found = strstr(text, name);
    value[0] = '\0';
    if (found != NULL) {
        sscanf(found + strlen(name), " %31s", value);
    }
    free(text);
    return value;
}

#define LAG "verve_sink_lag_windows{sink=\"file\"}"
#define OWNED "verve_sink_owned{sink=\"file\"}"
#define CURSOR "verve_sink_cursor_timestamp_seconds{sink=\"file\"}"
#define WRITES "verve_sink_writes_total{sink=\"file\",outcome="

static void
test_metrics(void **state)
{
    struct fixture *f = *state;
    struct window_stream_end last = {
        .start_s = 106, .length_s = 1, .first_s = 101};

    add_records(f, 101, 106);
    sink_feeder_tell(f->feeder, &last);
    assert_string_equal(series(f, OWNED), "0");
    assert_string_equal(series(f, LAG), ""); /* not ours to say */
    sink_feeder_renew_lease(f->feeder);
    sink_feeder_tell(f->feeder, &last);
    assert_string_equal(series(f, OWNED), "1");
    assert_string_equal(series(f, LAG), "6"); /* a new sink has none */
    assert_string_equal(series(f, CURSOR), "");
    sink_feeder_serve(f->feeder);
    deliver(104);
    sink_feeder_tell(f->feeder, &last);
    assert_string_equal(series(f, LAG), "2");
    assert_string_equal(series(f, CURSOR), "104");
    assert_string_equal(series(f, WRITES "\"done\"}"), "1");
    sink_feeder_serve(f->feeder);
    redis_do(f->redis, "HSET", KEY, "owner", "other", NULL);
    fake.sink.events.failed(fake.sink.events.context, 0);
    assert_string_equal(series(f, WRITES "\"failed\"}"), "1");
    deliver(106);
    sink_feeder_serve(f->feeder); /* learns that the lease is lost */
    sink_feeder_tell(f->feeder, &last);
    assert_string_equal(series(f, OWNED), "0");
    assert_string_equal(series(f, LAG), "");
}

/* An option_complaint: the defaults are right. */
static void
on_complaint(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

static int
set_up(void **state)
{
    static char *const no_environment[] = {NULL};
    static struct fixture fixture;
    struct fixture *f = &fixture;

    memset(f, 0, sizeof(*f));
    memset(&fake, 0, sizeof(fake));
    if (options_load(&f->options, NULL, no_environment, on_complaint, NULL) !=
        0) {
        return -1;
    }
    f->options.window.seconds = 1;
    f->redis = connect_to_empty();
    if (f->redis == NULL) {
        return -1;
    }
    free(f->options.redis.url);
    f->options.redis.url = strdup(server.url);
    f->store = store_open(
        &(struct store_settings){.options = &f->options, .program = "test"});
    if (f->store == NULL || store_wait(f->store) != REDIS_STATE_UP) {
        return -1;
    }
    f->closer = open_closer(&f->options, f->redis, 0);
    window_closer_seal(
        f->closer, 1,
        &(struct window_closer_sealed){0});           /* reads Redis's time */
    redis_do(f->redis, "DEL", "verve:windows", NULL); /* if one ended by now */
    f->metrics = metrics_open(&f->options, 1);
    if (f->metrics == NULL) {
        return -1;
    }
    metrics_begin(f->metrics, 0);
    f->shared = (struct sink_feeder_shared){.options = &f->options,
                                            .store = f->store,
                                            .records = f->redis,
                                            .closer = f->closer,
                                            .metrics = f->metrics,
                                            .owner = "us",
                                            .wake = on_wake,
                                            .context = f};
    f->feeder = sink_feeder_open(&f->shared, &fake_type);
    *state = f;
    return f->feeder == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    sink_feeder_close(f->feeder);
    metrics_close(f->metrics);
    window_closer_close(f->closer);
    store_close(f->store);
    redis_close(f->redis);
    options_fini(&f->options);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_offered_step_by_step),
        TEST(test_failed),
        TEST(test_another_has_the_lease),
        TEST(test_lease_lost),
        TEST(test_metrics),
        TEST(test_destination_is_ahead),
        TEST(test_windows_of_the_future),
        TEST(test_cursor_lost),
        TEST(test_rewound),
        TEST(test_rewound_but_the_destination_is_ahead),
        TEST(test_an_old_rewind),
        TEST(test_end),
        TEST(test_begins_with_the_newest),
        TEST(test_begins_with_the_first),
        TEST(test_goes_on_at_its_cursor),
    };

    return cmocka_run_group_tests_name("sink_feeder", tests, start_server,
                                       stop_server);
}
