/*
 * redis_url: which URLs can be read, and that no error text has a part of the
 * URL, which may hold a password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redis/redis.h"
#include "redis/redis_url.h"

struct good {
    const char *text;
    struct redis_url url;
};

static const struct good goods[] = {
    {"unix:///run/r.sock", {.path = (char *)"/run/r.sock"}},
    {"redis://h", {.host = (char *)"h", .port = (char *)"6379"}},
    {"redis://h/", {.host = (char *)"h", .port = (char *)"6379"}},
    {"redis://10.0.0.1:7000/3",
     {.host = (char *)"10.0.0.1",
      .port = (char *)"7000",
      .database = (char *)"3"}},
    {"redis://[::1]:1", {.host = (char *)"::1", .port = (char *)"1"}},
    {"redis://me@h",
     {.host = (char *)"h", .port = (char *)"6379", .user = (char *)"me"}},
    {"redis://:p%40ss@h",
     {.host = (char *)"h", .port = (char *)"6379", .password = (char *)"p@ss"}},
    {"redis://me:p%3A%2F@h:1/0",
     {.host = (char *)"h",
      .port = (char *)"1",
      .user = (char *)"me",
      .password = (char *)"p:/",
      .database = (char *)"0"}},
};

static const char *const bads[] = {
    "",
    "h",
    "h:6379",
    "tcp://h",
    "rediss://h",
    "http://h",
    "unix://",
    "unix://run/r.sock",
    ("unix:///123456789012345678901234567890123456789012345678901234567890"
     "12345678901234567890123456789012345678901234567"),
    "redis://",
    "redis://:6379",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
    "redis://h/x",
    "redis://h/-1",
    "redis://h/1/2",
    "redis+sentinel://h:1/hunter2",
    "redis+cluster://h:1",
};

static int
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
test_good(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        const struct redis_url *want = &goods[i].url;
        struct redis_url got;
        const char *problem = redis_url_parse(goods[i].text, &got);

        if (problem != NULL || !same(got.path, want->path) ||
            !same(got.host, want->host) || !same(got.port, want->port) ||
            !same(got.user, want->user) ||
            !same(got.password, want->password) ||
            !same(got.database, want->database)) {
            fail_msg("%s: %s", goods[i].text, problem ? problem : "differs");
        }
        redis_url_fini(&got);
    }
}

static void
test_bad(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        struct redis_url got;
        const char *problem = redis_url_parse(bads[i], &got);

        if (problem == NULL || strstr(problem, "hunter2") != NULL) {
            fail_msg("%s: %s", bads[i], problem ? problem : "accepted");
        }
        redis_url_fini(&got);
    }
}

static void
test_login(void **state)
{
    static const struct {
        const char *url;
        struct redis_login login;
    } rows[] = {
        {"redis://u:p@h", {.has_user = true, .has_password = true}},
        {"redis://:p@h", {.has_password = true}},
        {"redis://u@h", {.has_user = true}},
        {"redis://h", {.has_user = false}},
        {"unix:///s", {.has_user = false}},
        {"redis://u:p@h:x", {.has_user = false}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct redis_login login = redis_login_of(rows[i].url);

        if (login.has_user != rows[i].login.has_user ||
            login.has_password != rows[i].login.has_password) {
            fail_msg("%s: wrong login", rows[i].url);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_login),
    };

    return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
