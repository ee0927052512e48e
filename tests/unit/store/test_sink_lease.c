/*
 * test_sink_lease: leases against a real Redis: who has the lease, until when,
 * and who can move the cursor. To make a lease end, its end is written to
 * Redis.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "redis_fixture.h"
#include "store/sink_lease.h"

#define KEY "verve:sink:kafka:a b"

struct fixture {
    struct redis *redis;
    struct sink_lease *a;
    struct sink_lease *b;
};

static struct sink_lease *
open_lease(struct fixture *f, const char *owner)
{
    struct sink_lease *lease =
        sink_lease_open(&(struct sink_lease_options){.redis = f->redis,
                                                     .list = f->redis,
                                                     .prefix = "verve",
                                                     .name = "kafka:a b",
                                                     .owner = owner});

    assert_non_null(lease);
    return lease;
}

static int64_t
field(struct fixture *f, const char *name)
{
    return strtoll(redis_do(f->redis, "HGET", KEY, name, NULL), NULL, 10);
}

static void
set_end(struct fixture *f, int64_t end_ms)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, end_ms);
    redis_do(f->redis, "HSET", KEY, "lease_end_ms", text, NULL);
}

/* Makes the lease end in Redis. */
static void
let_it_end(struct fixture *f)
{
    set_end(f, clock_wall_ms() - 1);
}

/* 0 if it moved and the lease is ours. */
static int
advance(struct sink_lease *lease, int64_t start_s)
{
    return sink_lease_advance(lease, start_s, INT64_MAX) == 0 &&
                   sink_lease_ours(lease)
               ? 0
               : -1;
}

static void
test_one_has_it(void **state)
{
    struct fixture *f = *state;
    int64_t now_ms = clock_wall_ms();

    assert_false(sink_lease_ours(f->a));
    assert_int_equal(sink_lease_keep(f->a), 0);
    assert_true(sink_lease_ours(f->a));
    assert_int_equal(sink_lease_keep(f->b), 0);
    assert_false(sink_lease_ours(f->b));
    assert_int_equal(field(f, "token"), 1);
    assert_in_range(field(f, "lease_end_ms"), now_ms + SINK_LEASE_MS,
                    now_ms + SINK_LEASE_MS + 2000);
    assert_string_equal(redis_do(f->redis, "HGET", KEY, "owner", NULL), "a");
    assert_string_equal(redis_do(f->redis, "TTL", KEY, NULL), "-1");
}

/*
 * Redis is asked only if it is time: until then a change in Redis has no
 * effect.
 */
static void
test_renewed_in_time(void **state)
{
    struct fixture *f = *state;
    int64_t end_ms, until_ms = clock_mono_ms() + SINK_LEASE_RENEW_MS;

    sink_lease_keep(f->a);
    end_ms = field(f, "lease_end_ms");
    for (;;) {
        sink_lease_keep(f->a);
        if (clock_mono_ms() >= until_ms) {
            break;
        }
        assert_int_equal(field(f, "lease_end_ms"), end_ms);
        usleep(100000);
    }
    usleep(300000);
    sink_lease_keep(f->a);
    assert_true(field(f, "lease_end_ms") > end_ms);
    assert_int_equal(field(f, "token"), 1);
}

static void
test_taken_over(void **state)
{
    struct fixture *f = *state;
    int64_t cursor_s;

    sink_lease_keep(f->a);
    assert_int_equal(advance(f->a, 60), 0);
    let_it_end(f);
    sink_lease_keep(f->b);
    assert_true(sink_lease_ours(f->b));
    assert_int_equal(field(f, "token"), 2);
    assert_int_equal(sink_lease_cursor_s(f->b), 60);

    /* The first reporter still believes in its lease, as after a pause. */
    assert_true(sink_lease_ours(f->a));
    assert_int_equal(advance(f->a, 120), -1);
    assert_false(sink_lease_ours(f->a));
    cursor_s = field(f, "cursor");
    assert_int_equal(cursor_s, 60);
    assert_int_equal(advance(f->b, 120), 0);
    assert_int_equal(field(f, "cursor"), 120);
}

/* The lease has ended and is free: the cursor stays until it is acquired. */
static void
test_ended(void **state)
{
    struct fixture *f = *state;

    sink_lease_keep(f->a);
    let_it_end(f);
    assert_int_equal(advance(f->a, 60), -1);
    assert_false(sink_lease_ours(f->a));
    usleep(600 * 1000);
    sink_lease_keep(f->a);
    assert_int_equal(advance(f->a, 60), 0);
}

/* The owner's own clock ends the lease, without Redis. */
static void
test_given_up(void **state)
{
    struct fixture *f = *state;
    int64_t before_ms = clock_mono_ms();
    int64_t after_ms;

    sink_lease_keep(f->a);
    after_ms = clock_mono_ms();
    for (;;) {
        bool ours = sink_lease_ours(f->a);
        int64_t now_ms = clock_mono_ms();

        if (now_ms < before_ms + SINK_LEASE_OURS_MS) {
            assert_true(ours);
        } else if (now_ms > after_ms + SINK_LEASE_OURS_MS) {
            break;
        }
        usleep(10000);
    }
    assert_false(sink_lease_ours(f->a));
    assert_int_equal(advance(f->a, 60), -1);
    assert_int_equal(field(f, "cursor"), 0);
}

static void
test_cursor_never_goes_back(void **state)
{
    struct fixture *f = *state;

    sink_lease_keep(f->a);
    assert_int_equal(sink_lease_cursor_s(f->a), 0);
    advance(f->a, 120);
    assert_int_equal(advance(f->a, 60), 0);
    assert_int_equal(sink_lease_cursor_s(f->a), 120);
    sink_lease_keep(f->b); /* not moved, but replied */
    assert_int_equal(sink_lease_cursor_s(f->b), 120);
}

static void
test_released(void **state)
{
    struct fixture *f = *state;

    sink_lease_keep(f->a);
    advance(f->a, 60);
    sink_lease_release(f->a);
    assert_false(sink_lease_ours(f->a));
    sink_lease_keep(f->b);
    assert_true(sink_lease_ours(f->b));
    sink_lease_release(f->a); /* the other's lease goes on */
    assert_int_equal(advance(f->b, 120), 0);
}

/*
 * Redis's clock has stepped back by an hour: the lease is not an hour longer.
 */
static void
test_clock_that_stepped_back(void **state)
{
    struct fixture *f = *state;
    int64_t now_ms = clock_wall_ms();

    sink_lease_keep(f->a);
    set_end(f, now_ms + 3600 * 1000);
    sink_lease_keep(f->b);
    assert_false(sink_lease_ours(f->b));
    assert_in_range(field(f, "lease_end_ms"), now_ms,
                    now_ms + SINK_LEASE_MS + 2000);
    assert_int_equal(advance(f->a, 60), 0);
}

/* After FLUSHALL tokens begin again, but owners' names stay unique. */
static void
test_lost_by_redis(void **state)
{
    struct fixture *f = *state;

    sink_lease_keep(f->a);
    advance(f->a, 60);
    redis_do(f->redis, "FLUSHALL", NULL);
    sink_lease_keep(f->b);
    assert_true(sink_lease_ours(f->b));
    assert_int_equal(field(f, "token"), 1);
    assert_int_equal(advance(f->a, 120), -1);
    assert_int_equal(field(f, "cursor"), 0);
}

/* Sinks are listed by when they last had an owner. */
static void
test_noted(void **state)
{
    struct fixture *f = *state;
    int64_t before_ms = clock_wall_ms() - 1000;

    sink_lease_keep(f->a);
    sink_lease_keep(f->b);
    assert_string_equal(redis_do(f->redis, "ZCARD", "verve:sinks", NULL), "1");
    assert_true(
        strtoll(redis_do(f->redis, "ZSCORE", "verve:sinks", "kafka:a b", NULL),
                NULL, 10) > before_ms);
}

static void
test_rewound(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sink_lease_rewound_ms(f->a), -1);
    sink_lease_keep(f->a);
    assert_int_equal(sink_lease_rewound_ms(f->a), 0);
    advance(f->a, 60);
    assert_int_equal(sink_lease_rewound_ms(f->a), 0);
    redis_do(f->redis, "HSET", KEY, "rewound_ms", "1795982056000", NULL);
    sink_lease_keep(f->b); /* another one has the lease */
    assert_int_equal(sink_lease_rewound_ms(f->b), 1795982056000);
}

static void
test_refused(void **state)
{
    struct fixture *f = *state;

    redis_do(f->redis, "SET", KEY, "x", NULL);
    assert_int_equal(sink_lease_keep(f->a), -1);
    assert_false(sink_lease_ours(f->a));
}

static void
test_owners_differ(void **state)
{
    char one[SINK_LEASE_OWNER_SIZE], two[SINK_LEASE_OWNER_SIZE];
    char host[65] = "";

    (void)state;
    sink_lease_owner(one);
    sink_lease_owner(two);
    gethostname(host, sizeof(host) - 1);
    assert_string_not_equal(one, two);
    assert_memory_equal(one, host, strlen(host));
}

/* The longest prefix, host and path that may be configured make a key. */
static void
test_a_long_name(void **state)
{
    struct fixture *f = *state;
    char prefix[64 + 1], host[64 + 1], path[1024 + 1], name[1200];
    struct sink_lease *lease;

    memset(prefix, 'x', sizeof(prefix) - 1);
    memset(host, 'h', sizeof(host) - 1);
    memset(path, '/', sizeof(path) - 1);
    prefix[64] = host[64] = path[1024] = '\0';
    snprintf(name, sizeof(name), "file:%s:%s", host, path);
    lease = sink_lease_open(&(struct sink_lease_options){.redis = f->redis,
                                                         .list = f->redis,
                                                         .prefix = prefix,
                                                         .name = name,
                                                         .owner = "a"});
    assert_non_null(lease);
    assert_int_equal(sink_lease_keep(lease), 0);
    assert_int_equal(advance(lease, 60), 0);
    assert_int_equal(sink_lease_cursor_s(lease), 60);
    sink_lease_close(lease);
}

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture.redis = connect_to_empty();
    if (fixture.redis == NULL) {
        return -1;
    }
    fixture.a = open_lease(&fixture, "a");
    fixture.b = open_lease(&fixture, "b");
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    sink_lease_close(f->a);
    sink_lease_close(f->b);
    redis_close(f->redis);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_has_it),    TEST(test_renewed_in_time),
        TEST(test_taken_over),    TEST(test_ended),
        TEST(test_given_up),      TEST(test_cursor_never_goes_back),
        TEST(test_released),      TEST(test_clock_that_stepped_back),
        TEST(test_lost_by_redis), TEST(test_refused),
        TEST(test_owners_differ), TEST(test_a_long_name),
        TEST(test_noted),         TEST(test_rewound),
    };

    return cmocka_run_group_tests_name("sink_lease", tests, start_server,
                                       stop_server);
}
