/*
 * test_decimal: which texts are a decimal signed 64-bit integer, by a table of
 * rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/decimal.h"

enum { UNTOUCHED = 4711 };

/* Text with its length, NUL bytes included. */
#define T(literal) literal, sizeof(literal) - 1

static const struct row {
    const char *text;
    size_t len;
    bool ok;
    int64_t value;
} rows[] = {
    {T("0"), true, 0},
    {T("7"), true, 7},
    {T("+7"), true, 7},
    {T("-7"), true, -7},
    {T("007"), true, 7},
    {T("-007"), true, -7},
    {T("+0"), true, 0},
    {T("-0"), true, 0},
    {T("1234567890"), true, 1234567890},
    {T("9223372036854775807"), true, INT64_MAX},
    {T("+9223372036854775807"), true, INT64_MAX},
    {T("-9223372036854775807"), true, -INT64_MAX},
    {T("-9223372036854775808"), true, INT64_MIN},
    {T("00000000000000000000000000000009223372036854775807"), true, INT64_MAX},
    {T("9223372036854775808"), false, 0},
    {T("+9223372036854775808"), false, 0},
    {T("-9223372036854775809"), false, 0},
    {T("9223372036854775810"), false, 0},
    {T("92233720368547758070"), false, 0},
    {T("18446744073709551616"), false, 0},
    {T("18446744073709551623"), false, 0},
    {T("-18446744073709551609"), false, 0},
    {T("99999999999999999999999999999999"), false, 0},
    {T(""), false, 0},
    {T("+"), false, 0},
    {T("-"), false, 0},
    {T("+-7"), false, 0},
    {T("--7"), false, 0},
    {T("7-"), false, 0},
    {T("7+7"), false, 0},
    {T(" 7"), false, 0},
    {T("7 "), false, 0},
    {T("7\n"), false, 0},
    {T("7\0"), false, 0},
    {T("\0"), false, 0},
    {T("7.0"), false, 0},
    {T("7e1"), false, 0},
    {T("0x7"), false, 0},
    {T("1,000"), false, 0},
    {T("1_000"), false, 0},
    {T("a"), false, 0},
    {T("/"), false, 0},
    {T(":"), false, 0},
    {T("\xEF\xBC\x97"), false, 0}, /* a full-width digit */
    {T("\xB7"), false, 0},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        int64_t value = UNTOUCHED;
        bool ok = decimal_parse(row->text, row->len, &value);

        if (ok != row->ok || value != (row->ok ? row->value : UNTOUCHED)) {
            fail_msg("row %zu \"%s\": %d, %lld", i, row->text, ok,
                     (long long)value);
        }
    }
}

static void
test_reads_no_further_than_len(void **state)
{
    int64_t value = UNTOUCHED;

    (void)state;
    assert_true(decimal_parse("12345", 2, &value));
    assert_int_equal(value, 12);
}

static void
test_formats(void **state)
{
    static const int64_t values[] = {
        0,   7,   -7,   9,         10,         -10,       99,        100,
        101, 255, 1000, INT32_MAX, 1795240800, INT64_MIN, INT64_MAX, -1,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char expected[32];
        char text[DECIMAL_TEXT_SIZE];
        size_t len = decimal_format(text, values[i]);

        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(text, expected, len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_reads_no_further_than_len),
    };

    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
