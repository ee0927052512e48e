/*
 * For test programs whose tests all need a Redis: a redis-server for the
 * program, and an empty database for each test. Header only, as each test is
 * one program, which defines set_up and tear_down.
 */
#ifndef REDIS_FIXTURE_H
#define REDIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "redis_server.h"

static struct redis_server server;

/* Of the whole program, for cmocka_run_group_tests_name. */
static inline int
start_server(void **state)
{
    (void)state;
    return redis_server_start(&server);
}

static inline int
stop_server(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

/* A connection to the server, which is emptied. NULL if it is not up in time.
 */
static inline struct redis *
connect_to_empty(void)
{
    struct redis *redis = redis_server_connect(&server);

    if (redis != NULL) {
        redis_do(redis, "FLUSHALL", NULL);
    }
    return redis;
}

/* Adds a key to a call, by a format of printf. */
static inline void __attribute__((format(printf, 2, 3)))
redis_key(struct command *call, const char *format, ...)
{
    char key[256];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    assert_in_range(len, 0, sizeof(key) - 1);
    redis_key_text(call, key, (size_t)len);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
