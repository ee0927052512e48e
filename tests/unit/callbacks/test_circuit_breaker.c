/*
 * test_circuit_breaker: when the breaker opens, for how long, and what the
 * result of a probe changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbacks/circuit_breaker.h"

enum { NOW_MS = 1000000 };

/*
 * Attempts that end one after the other, step_ms apart: '.' is a success, 'x' a
 * failure. 'X' is the failure that must open the breaker.
 */
static const struct row {
    const char *what;
    const char *ends;
    int64_t step_ms;
} rows[] = {
    {"nothing", "", 0},
    {"ten in a row", "xxxxxxxxxX", 0},
    {"ten in a row, slowly", "xxxxxxxxxX", 600000},
    {"nine in a row", "xxxxxxxxx", 0},
    {"a success between", "xxxxxxxxx.xxxxxxxxx", 10000},
    {"14 of 20", ".x.xx.xxx.xx.xx.xxxX", 1},
    {"13 of 20", ".x.xx.xxx.xx.xx.xx.x", 1},
    {"14 of 19", "x.xx.xxx.xx.xx.xxxx", 1},
    {"70 % of the last 20, not of all",
     "............................xxxx.xxxx.xxxxxX", 1},
    {"20 within a minute", ".x.xx.xxx.xx.xx.xxxX", 60000 / 19},
    {"20 in over a minute", ".x.xx.xxx.xx.xx.xxxx", 60000 / 19 + 1},
    {"half of them", "x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.", 1},
};

static void
test_opens(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct circuit_breaker breaker = {0};
        int64_t now_ms = NOW_MS;
        const char *c;

        for (c = row->ends; *c != '\0'; c++, now_ms += row->step_ms) {
            if (!circuit_breaker_permits(&breaker, now_ms) ||
                circuit_breaker_start(&breaker, now_ms)) {
                break;
            }
            if (*c == '.') {
                circuit_breaker_succeed(&breaker, false, now_ms);
            } else {
                circuit_breaker_fail(&breaker, false, now_ms);
            }
            if ((circuit_breaker_state(&breaker, now_ms) ==
                 CIRCUIT_BREAKER_OPEN) != (*c == 'X')) {
                break;
            }
        }
        if (*c != '\0') {
            print_error("%s: at %d\n", row->what, (int)(c - row->ends));
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static int64_t
open_at(struct circuit_breaker *breaker, int64_t now_ms)
{
    for (int i = 0; i < CIRCUIT_BREAKER_ROW; i++) {
        circuit_breaker_fail(breaker, false, now_ms);
    }
    return now_ms;
}

/* An attempt that started before the breaker opened is no probe. */
static void
test_late_ends(void **state)
{
    struct circuit_breaker breaker = {0};
    int64_t now_ms = open_at(&breaker, NOW_MS);

    (void)state;
    circuit_breaker_succeed(&breaker, false, now_ms + 1000);
    circuit_breaker_fail(&breaker, false, now_ms + 1000);
    circuit_breaker_forget(&breaker, false);
    assert_int_equal(circuit_breaker_wait_ms(&breaker, now_ms),
                     CIRCUIT_BREAKER_OPEN_MS);
    now_ms += CIRCUIT_BREAKER_OPEN_MS;
    assert_true(circuit_breaker_start(&breaker, now_ms));
    circuit_breaker_fail(&breaker, false, now_ms);
    circuit_breaker_forget(&breaker, false);
    assert_int_equal(circuit_breaker_state(&breaker, now_ms),
                     CIRCUIT_BREAKER_HALF_OPEN);
    assert_false(circuit_breaker_permits(&breaker, now_ms));
}

static void
test_one_probe(void **state)
{
    struct circuit_breaker breaker = {0};
    int64_t now_ms = open_at(&breaker, NOW_MS) + CIRCUIT_BREAKER_OPEN_MS;

    (void)state;
    assert_int_equal(circuit_breaker_wait_ms(&breaker, now_ms - 1), 1);
    assert_false(circuit_breaker_permits(&breaker, now_ms - 1));
    assert_int_equal(circuit_breaker_state(&breaker, now_ms),
                     CIRCUIT_BREAKER_HALF_OPEN);
    assert_true(circuit_breaker_permits(&breaker, now_ms));
    assert_true(circuit_breaker_start(&breaker, now_ms));
    assert_false(circuit_breaker_permits(&breaker, now_ms));

    /* A probe without a result makes room for another probe. */
    circuit_breaker_forget(&breaker, true);
    assert_true(circuit_breaker_permits(&breaker, now_ms));
    assert_true(circuit_breaker_start(&breaker, now_ms));
    circuit_breaker_succeed(&breaker, true, now_ms);
    assert_int_equal(circuit_breaker_state(&breaker, now_ms),
                     CIRCUIT_BREAKER_CLOSED);
    assert_true(circuit_breaker_permits(&breaker, now_ms));
    assert_false(circuit_breaker_start(&breaker, now_ms));
}

/* 30 s, doubling to 10 minutes; after a success 30 s again. */
static void
test_open_longer(void **state)
{
    static const int64_t open_s[] = {30, 60, 120, 240, 480, 600, 600};
    struct circuit_breaker breaker = {0};
    int64_t now_ms = open_at(&breaker, NOW_MS);

    (void)state;
    for (size_t i = 0; i < sizeof(open_s) / sizeof(open_s[0]); i++) {
        assert_int_equal(circuit_breaker_wait_ms(&breaker, now_ms),
                         open_s[i] * 1000);
        now_ms += open_s[i] * 1000;
        assert_true(circuit_breaker_start(&breaker, now_ms));
        circuit_breaker_fail(&breaker, true, now_ms);
    }
    now_ms += CIRCUIT_BREAKER_OPEN_MAX_MS;
    assert_true(circuit_breaker_start(&breaker, now_ms));
    circuit_breaker_succeed(&breaker, true, now_ms);
    now_ms = open_at(&breaker, now_ms);
    assert_int_equal(circuit_breaker_wait_ms(&breaker, now_ms),
                     CIRCUIT_BREAKER_OPEN_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_late_ends),
        cmocka_unit_test(test_one_probe),
        cmocka_unit_test(test_open_longer),
    };

    return cmocka_run_group_tests_name("circuit_breaker", tests, NULL, NULL);
}
