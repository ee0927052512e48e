/*
 * test_presence: who is there, against a real Redis. Time passes by writing
 * another time into Redis.
 */
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "redis_fixture.h"
#include "store/presence.h"

#define KEY "verve:{0}:presence"
#define SAID "verve:{0}:presence-said"

struct fixture {
    struct options options;
    struct redis *redis;
    struct presence *web;
    struct presence *reports;
    struct presence *callbacks;
};

static void
complain(void *context, const char *text)
{
    (void)context;
    print_error("%s\n", text);
}

static struct presence *
open_presence(struct fixture *f, const char *program, const char *part)
{
    struct presence *presence =
        presence_open(&f->options, f->redis, program, part);

    assert_non_null(presence);
    return presence;
}

static int
set_up(void **state)
{
    static char *const no_environment[] = {NULL};
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL ||
        options_load(&f->options, NULL, no_environment, complain, NULL) != 0 ||
        (f->redis = connect_to_empty()) == NULL) {
        return -1;
    }
    f->web = open_presence(f, "verve-fcgi", "/run/stats");
    f->reports = open_presence(f, "verve-reporter", "reports");
    f->callbacks = open_presence(f, "verve-reporter", "callbacks-1");
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    presence_close(f->web);
    presence_close(f->reports);
    presence_close(f->callbacks);
    redis_close(f->redis);
    options_fini(&f->options);
    free(f);
    return 0;
}

static void
write_presence(struct presence *presence)
{
    presence_write(presence, json_pack("{s:i}", "responders", 2));
}

/* The name of a part on this host. */
static const char *
name_of(const char *program, const char *part)
{
    static char name[256];
    char host[HOST_NAME_SIZE];

    host_name(host);
    snprintf(name, sizeof(name), "%s/%s/%s", program, host, part);
    return name;
}

/* Makes a program have been seen so long ago. */
static void
let_pass(struct fixture *f, const char *name, int64_t ms)
{
    char score[24];

    snprintf(score, sizeof(score), "%lld", (long long)(clock_wall_ms() - ms));
    redis_do(f->redis, "ZADD", KEY, score, name, NULL);
}

static int64_t
count(struct fixture *f)
{
    return strtoll(redis_do(f->redis, "ZCARD", KEY, NULL), NULL, 10);
}

static void
test_what_is_written(void **state)
{
    struct fixture *f = *state;
    json_error_t error;
    json_t *said;

    assert_int_equal(presence_wait_ms(f->web), 0);
    write_presence(f->web);
    assert_in_range(presence_wait_ms(f->web), 1, PRESENCE_WEB_MS);
    said = json_loads(redis_do(f->redis, "HGET", SAID,
                               name_of("verve-fcgi", "run/stats"), NULL),
                      0, &error);
    assert_non_null(said);
    assert_string_equal(json_string_value(json_object_get(said, "program")),
                        "verve-fcgi");
    assert_int_equal(json_string_length(json_object_get(said, "config")), 8);
    assert_int_equal(json_integer_value(json_object_get(said, "responders")),
                     2);
    json_decref(said);
    assert_string_equal(redis_do(f->redis, "TTL", KEY, NULL), "-1");
}

static void
test_who_lives(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(presence_heard(f->web).at_ms, 0);
    write_presence(f->callbacks);
    write_presence(f->web);
    assert_int_not_equal(presence_heard(f->web).at_ms, 0);
    assert_int_equal(presence_heard(f->web).reporters, 0);
    assert_int_equal(presence_heard(f->web).silent_ms, -1);
    write_presence(f->reports);
    write_presence(f->web);
    assert_int_equal(presence_heard(f->web).reporters, 1);
    assert_in_range(presence_heard(f->web).silent_ms, 0, 5000);
    let_pass(f, name_of("verve-reporter", "reports"), 40000);
    let_pass(f, "verve-reporter/other/reports", 60000);
    write_presence(f->web);
    assert_int_equal(presence_heard(f->web).reporters, 0);
    assert_in_range(presence_heard(f->web).silent_ms, 40000, 50000);
    write_presence(f->reports);
    let_pass(f, "verve-reporter/other/reports", 3000);
    write_presence(f->web);
    assert_int_equal(presence_heard(f->web).reporters, 2);
}

static void
test_who_is_forgotten(void **state)
{
    struct fixture *f = *state;

    write_presence(f->reports);
    write_presence(f->web);
    let_pass(f, "verve-fcgi/old/x", PRESENCE_FORGET_MS + 1000);
    redis_do(f->redis, "HSET", SAID, "verve-fcgi/old/x", "{}", NULL);
    let_pass(f, "verve-fcgi/gone/x", PRESENCE_FORGET_MS - 60000);
    write_presence(f->web);
    assert_int_equal(count(f), 3);
    assert_string_equal(redis_do(f->redis, "HLEN", SAID, NULL), "2");
    presence_leave(f->reports);
    assert_int_equal(count(f), 2);
    assert_string_equal(redis_do(f->redis, "HLEN", SAID, NULL), "1");
}

static void
test_their_number_is_bounded(void **state)
{
    struct fixture *f = *state;
    char name[32];

    for (int i = 0; i < PRESENCE_MOST + 5; i++) {
        snprintf(name, sizeof(name), "verve-fcgi/%d/x", i);
        let_pass(f, name, 20000 - i);
    }
    write_presence(f->web);
    assert_int_equal(count(f), PRESENCE_MOST);
    assert_string_equal(
        redis_do(f->redis, "ZSCORE", KEY, "verve-fcgi/5/x", NULL), "");
    assert_string_not_equal(redis_do(f->redis, "ZSCORE", KEY,
                                     name_of("verve-fcgi", "run/stats"), NULL),
                            "");
}

/* A time in the future is that of a clock that has stepped back. */
static void
test_clock_steps_back(void **state)
{
    struct fixture *f = *state;

    let_pass(f, "verve-reporter/other/reports", -3600000);
    write_presence(f->web);
    assert_int_equal(presence_heard(f->web).reporters, 1);
    let_pass(f, "verve-reporter/other/reports", 20000);
    write_presence(f->web);
    assert_int_equal(presence_heard(f->web).reporters, 0);
}

/* It is written all the same while Redis is out of memory. */
static void
test_out_of_memory(void **state)
{
    struct fixture *f = *state;

    redis_server_administer(&server, "CONFIG SET maxmemory 1");
    write_presence(f->web);
    redis_server_administer(&server, "CONFIG SET maxmemory 0");
    assert_int_equal(count(f), 1);
}

/* Who has no memory for the JSON does not try again at once, for ever. */
static void
test_no_memory(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(presence_wait_ms(f->web), 0);
    assert_false(presence_start(f->web, NULL));
    assert_true(presence_wait_ms(f->web) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written),  TEST(test_who_lives),
        TEST(test_who_is_forgotten), TEST(test_their_number_is_bounded),
        TEST(test_clock_steps_back), TEST(test_out_of_memory),
        TEST(test_no_memory),
    };

    return cmocka_run_group_tests_name("presence", tests, start_server,
                                       stop_server);
}
