/*
 * test_paths: which URLs are one path, and which paths are remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/circuit_breaker.h"
#include "callbacks/paths.h"
#include "store/origin.h"

enum { NOW_MS = 1000000 };

static const struct retry_verdict failure = {.evidence =
                                                 RETRY_EVIDENCE_FAILURE};
static const struct retry_verdict success = {.evidence =
                                                 RETRY_EVIDENCE_SUCCESS};
static const struct retry_verdict unreached = {
    .evidence = RETRY_EVIDENCE_FAILURE, .scope = RETRY_SCOPE_HOST};

static uint64_t
key_of(const struct paths *paths, const char *url)
{
    char origin[ORIGIN_SIZE];

    origin_read(url, strlen(url), origin);
    return paths_key(paths, origin, url);
}

static void
test_keys(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        {"http://h", "http://H:80/", true},
        {"http://h?q", "http://h/?r", true},
        {"http://h/p?q", "http://h/p#f", true},
        {"http://h/p", "http://h/p/", false},
        {"http://h/p", "http://h/P", false},
        {"http://h/p", "https://h/p", false},
        {"http://h/p", "http://i/p", false},
        {"http://h/p", "http://h:81/p", false},
        {"http://h/a?/b", "http://h/a/b", false},
    };
    struct paths *paths = paths_open(7);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((key_of(paths, rows[i].a) == key_of(paths, rows[i].b)) !=
            rows[i].same) {
            fail_msg("%s %s", rows[i].a, rows[i].b);
        }
    }
    paths_close(paths);
}

/* Only what fails is remembered, and only until it works again. */
static void
test_memory(void **state)
{
    struct paths *paths = paths_open(7);

    (void)state;
    paths_end(paths, 1, false, &success, NOW_MS);
    paths_end(paths, 1, false, &unreached, NOW_MS);
    assert_false(paths_has(paths, 1));
    paths_end(paths, 1, false, &failure, NOW_MS);
    assert_true(paths_has(paths, 1));
    assert_int_equal(paths_blocked_ms(paths, 1, NOW_MS), 0);
    for (int i = 0; i < CIRCUIT_BREAKER_WINDOW; i++) {
        paths_end(paths, 1, false, &success, NOW_MS);
    }
    assert_false(paths_has(paths, 1));
    paths_close(paths);
}

/* A probe that did not reach the host says nothing: another one may start. */
static void
test_probe(void **state)
{
    struct paths *paths = paths_open(7);
    int64_t now_ms = NOW_MS + CIRCUIT_BREAKER_OPEN_MS;

    (void)state;
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        paths_end(paths, 1, false, &failure, NOW_MS);
    }
    assert_int_equal(paths_blocked_ms(paths, 1, NOW_MS),
                     CIRCUIT_BREAKER_OPEN_MS);
    assert_int_equal(paths_blocked_ms(paths, 1, now_ms), 0);
    paths_end(paths, 2, false, &failure, NOW_MS);
    assert_int_equal(paths_count_open(paths, NOW_MS), 1);
    assert_int_equal(paths_count_open(paths, now_ms), 0);
    assert_true(paths_start(paths, 1, now_ms));
    assert_int_equal(paths_blocked_ms(paths, 1, now_ms), PATHS_PROBED_MS);
    paths_end(paths, 1, true, &unreached, now_ms);
    assert_int_equal(paths_blocked_ms(paths, 1, now_ms), 0);
    assert_true(paths_start(paths, 1, now_ms));
    paths_end(paths, 1, true, &success, now_ms);
    assert_false(paths_has(paths, 1));
    paths_close(paths);
}

/* The path that was used longest ago is forgotten. */
static void
test_limit(void **state)
{
    struct paths *paths = paths_open(7);

    (void)state;
    for (uint64_t key = 0; key < PATHS_MAX; key++) {
        paths_end(paths, key, false, &failure, NOW_MS);
    }
    assert_true(paths_has(paths, 0));
    paths_start(paths, 0, NOW_MS);
    paths_end(paths, PATHS_MAX, false, &failure, NOW_MS);
    assert_true(paths_has(paths, 0));
    assert_false(paths_has(paths, 1));
    assert_true(paths_has(paths, 2));
    paths_close(paths);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
