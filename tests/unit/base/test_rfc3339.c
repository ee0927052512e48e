/*
 * test_rfc3339: times as text, before and after the epoch, by tables of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rfc3339.h"

static const struct {
    int64_t time_ms;
    int64_t second;
    const char *seconds;
    const char *milliseconds;
} texts[] = {
    {0, 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
    {1767323040000, 1767323040, "2026-01-02T03:04:00Z",
     "2026-01-02T03:04:00.000Z"},
    {1767323100123, 1767323100, "2026-01-02T03:05:00Z",
     "2026-01-02T03:05:00.123Z"},
    {1709164799999, 1709164799, "2024-02-28T23:59:59Z",
     "2024-02-28T23:59:59.999Z"},
    {1709164800000, 1709164800, "2024-02-29T00:00:00Z",
     "2024-02-29T00:00:00.000Z"},
    {-1, -1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
    {253402300799999, 253402300799, "9999-12-31T23:59:59Z",
     "9999-12-31T23:59:59.999Z"},
};

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t time_s = texts[i].second;
        char text[RFC3339_SIZE];
        int64_t parsed_s = 0;

        rfc3339_format(text, time_s);
        assert_string_equal(text, texts[i].seconds);
        assert_int_equal(rfc3339_parse(text, strlen(text), &parsed_s), 0);
        assert_int_equal(parsed_s, time_s);
        rfc3339_format_ms(text, texts[i].time_ms);
        assert_string_equal(text, texts[i].milliseconds);
    }
}

static void
test_any_time_fits(void **state)
{
    const int64_t times[] = {
        INT64_MIN,         INT64_MIN / 1000,  -1, INT64_MAX / 1000, INT64_MAX,
        67767976233532799, -67768040609740800};
    char text[RFC3339_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        rfc3339_format(text, times[i]);
        assert_int_equal(text[strlen(text) - 1], 'Z');
        rfc3339_format_ms(text, times[i]);
        assert_int_equal(text[strlen(text) - 1], 'Z');
    }
}

static const char *const strangers[] = {
    "",
    "2026-01-02",
    "2026-01-02T03:04:00",
    "2026-01-02 03:04:00Z",
    "2026-01-02t03:04:00z",
    "2026-01-02T03:04:00.000Z",
    "2026-01-02T03:04:00+00:00",
    "2026-1-2T3:4:0Z",
    "2026-02-30T03:04:00Z",
    "2026-13-02T03:04:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:04:60Z",
    " 2026-01-02T03:04:00Z",
    "2026-01-02T03:04:00Z ",
    "2026-01-02T03:04:00Zjunk-junk-junk-junk-junk-junk",
};

static void
test_parse_is_strict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        int64_t time_s = 4711;
        int result = rfc3339_parse(strangers[i], strlen(strangers[i]), &time_s);

        if (result != -1 || time_s != 4711) {
            fail_msg("\"%s\" was read", strangers[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_any_time_fits),
        cmocka_unit_test(test_parse_is_strict),
    };

    return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
