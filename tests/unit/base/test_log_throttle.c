/*
 * test_log_throttle: which lines a trouble makes, and when. The clock and the
 * log are the test's own: those of common/base are not linked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"

enum { MINUTE_MS = 60 * 1000 };

static int64_t now_ms;
static char logged[128];
static int lines;

int64_t
clock_mono_ms(void)
{
    return now_ms;
}

static void __attribute__((format(printf, 1, 0)))
keep_line(const char *format, va_list arguments)
{
    vsnprintf(logged, sizeof(logged), format, arguments);
    lines++;
}

void
log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    keep_line(format, arguments);
    va_end(arguments);
}

void
log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    keep_line(format, arguments);
    va_end(arguments);
}

static void
assert_said(int count, const char *line)
{
    assert_int_equal(lines, count);
    assert_string_equal(logged, line);
}

static void
test_once_a_minute(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    log_throttle_note(&trouble, "who", "why");
    assert_said(1, "who: why; trying again");
    for (int i = 0; i < 59; i++) {
        now_ms += 1000;
        log_throttle_note(&trouble, "who", "why");
    }
    assert_said(1, "who: why; trying again");
    now_ms += 1000;
    log_throttle_note(&trouble, "who", "why");
    assert_int_equal(lines, 2);
    now_ms += MINUTE_MS - 1;
    log_throttle_note(&trouble, "who", "why");
    assert_int_equal(lines, 2);
    now_ms += 1;
    log_throttle_note(&trouble, "who", "why");
    assert_int_equal(lines, 3);
}

static void
test_a_new_reason(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    log_throttle_note(&trouble, "who", "out of memory");
    log_throttle_note(&trouble, "who", "0 of 1 replicas");
    assert_said(2, "who: 0 of 1 replicas; trying again");
    /* Only a number has changed. */
    log_throttle_note(&trouble, "who", "0 of 12 replicas");
    assert_int_equal(lines, 2);
    /* A minute after the last line, not after the first. */
    now_ms += MINUTE_MS;
    log_throttle_note(&trouble, "who", "0 of 1 replicas");
    assert_int_equal(lines, 3);
    log_throttle_over(&trouble, "who");
    assert_said(4, "who: works again, after 60 s");
}

/* Two reasons that take turns 20 times a second make few lines. */
static void
test_reasons_that_take_turns(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    for (int i = 0; i < 3 * 20 * 60; i++) {
        log_throttle_note(&trouble, "who", i % 2 == 0 ? "why" : "or why");
        now_ms += 50;
    }
    assert_in_range(lines, 3 * LOG_THROTTLE_BEGINNINGS,
                    3 * (LOG_THROTTLE_BEGINNINGS + 1));
}

static void
test_its_end(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    log_throttle_over(&trouble, "who");
    assert_int_equal(lines, 0);
    log_throttle_note(&trouble, "who", "why");
    now_ms += 2 * MINUTE_MS;
    log_throttle_note(&trouble, "who", "why");
    now_ms += 3000;
    log_throttle_over(&trouble, "who");
    assert_said(3, "who: works again, after 123 s");
    log_throttle_over(&trouble, "who");
    assert_int_equal(lines, 3);
    /* A later failure is a new trouble. */
    now_ms += 1;
    log_throttle_note(&trouble, "who", "why");
    assert_int_equal(lines, 4);
}

/* A trouble that comes and goes 20 times a second makes few lines. */
static void
test_comes_and_goes(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    for (int i = 0; i < 3 * 20 * 60; i++) {
        log_throttle_note(&trouble, "who", "why");
        now_ms += 25;
        log_throttle_over(&trouble, "who");
        now_ms += 25;
    }
    assert_said(3 * 2 * LOG_THROTTLE_BEGINNINGS, "who: works again, after 0 s");
}

/* If a trouble came too often and then stays, it is logged within a minute. */
static void
test_comes_once_too_often(void **state)
{
    struct log_throttle trouble = {0};

    (void)state;
    for (int i = 0; i < LOG_THROTTLE_BEGINNINGS; i++) {
        log_throttle_note(&trouble, "who", "why");
        log_throttle_over(&trouble, "who");
    }
    now_ms += 5000;
    log_throttle_note(&trouble, "who", "why");
    now_ms += MINUTE_MS - 5001;
    log_throttle_note(&trouble, "who", "why");
    assert_said(2 * LOG_THROTTLE_BEGINNINGS, "who: works again, after 0 s");
    now_ms += 1;
    log_throttle_note(&trouble, "who", "why");
    assert_said(2 * LOG_THROTTLE_BEGINNINGS + 1, "who: why; trying again");
    now_ms += 2000;
    log_throttle_over(&trouble, "who");
    assert_said(2 * LOG_THROTTLE_BEGINNINGS + 2,
                "who: works again, after 57 s");
}

static int
set_up(void **state)
{
    (void)state;
    now_ms = 1000;
    lines = 0;
    logged[0] = '\0';
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_once_a_minute),           TEST(test_a_new_reason),
        TEST(test_reasons_that_take_turns), TEST(test_its_end),
        TEST(test_comes_and_goes),          TEST(test_comes_once_too_often),
    };

    return cmocka_run_group_tests_name("log_throttle", tests, NULL, NULL);
}
