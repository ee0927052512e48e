/*
 * test_breaker_log: which changes of a circuit breaker are logged, and the
 * limit on their rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/breaker_log.h"
#include "kept_log.h"

enum { NOW_MS = 1000000 };

static const struct breaker_change opens = {.origin = "http://a.example:80",
                                            .is_open = true,
                                            .open_ms = 30000,
                                            .error = "status-500",
                                            .waiting = 12};
static const struct breaker_change closes = {
    .origin = "http://a.example:80", .was_open = true, .error = ""};

static void
test_an_opening_and_its_end(void **state)
{
    struct breaker_change stays = opens;
    struct breaker_log log = {0};

    (void)state;
    kept_lines = 0;
    breaker_log_note(&log, &opens, NOW_MS);
    stays.was_open = true;
    breaker_log_note(&log, &stays, NOW_MS + 30000);
    stays.was_open = stays.is_open = false;
    breaker_log_note(&log, &stays, NOW_MS + 30000);
    assert_int_equal(kept_lines, 1);
    assert_string_equal(kept_log[0],
                        "WARN msg=\"the circuit breaker opens\" "
                        "destination=http://a.example:80 open_s=30 "
                        "error=status-500 waiting=12");
    breaker_log_note(&log, &closes, NOW_MS + 60000);
    assert_int_equal(kept_lines, 2);
    assert_string_equal(kept_log[1], "INFO msg=\"the circuit breaker closes\" "
                                     "destination=http://a.example:80");
}

static void
test_a_limited_number_of_lines(void **state)
{
    struct breaker_log log = {0};

    (void)state;
    kept_lines = 0;
    for (int i = 0; i < BREAKER_LOG_LINES + 7; i++) {
        breaker_log_note(&log, &opens, NOW_MS + i);
    }
    breaker_log_sum_up(&log, NOW_MS + BREAKER_LOG_PERIOD_MS - 1);
    assert_int_equal(kept_lines, BREAKER_LOG_LINES);
    breaker_log_sum_up(&log, NOW_MS + BREAKER_LOG_PERIOD_MS);
    assert_int_equal(kept_lines, BREAKER_LOG_LINES + 1);
    assert_string_equal(kept_log[BREAKER_LOG_LINES],
                        "WARN msg=\"more circuit breakers have opened or "
                        "closed\" count=7");
    breaker_log_sum_up(&log, NOW_MS + 2 * BREAKER_LOG_PERIOD_MS);
    assert_int_equal(kept_lines, BREAKER_LOG_LINES + 1);
    breaker_log_note(&log, &closes, NOW_MS + 2 * BREAKER_LOG_PERIOD_MS);
    assert_int_equal(kept_lines, BREAKER_LOG_LINES + 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_opening_and_its_end),
        cmocka_unit_test(test_a_limited_number_of_lines),
    };

    return cmocka_run_group_tests_name("breaker_log", tests, NULL, NULL);
}
