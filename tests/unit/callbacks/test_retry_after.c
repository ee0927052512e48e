/*
 * test_retry_after: values of Retry-After, by a table of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbacks/retry_after.h"

/* The example of RFC 9110, 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT. */
enum { EXAMPLE_S = 784111777 };

static const struct row {
    const char *value;
    int64_t now_s;
    int64_t wait_ms;
} rows[] = {
    {"0", 0, 0},
    {"1", 0, 1000},
    {"120", 0, 120000},
    {" 120\t", 0, 120000},
    {"120\r\n", 0, 120000},
    {"007", 0, 7000},
    {"3599", 0, 3599000},
    {"3600", 0, RETRY_AFTER_MAX_MS},
    {"3601", 0, RETRY_AFTER_MAX_MS},
    {"1000000000", 0, RETRY_AFTER_MAX_MS},
    {"99999999999999999999999999999999999999", 0, RETRY_AFTER_MAX_MS},

    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S - 10, 10000},
    {"Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE_S - 10, 10000},
    {"Sun Nov  6 08:49:37 1994", EXAMPLE_S - 10, 10000},
    {" Sun, 06 Nov 1994 08:49:37 GMT\r\n", EXAMPLE_S - 10, 10000},
    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S + 10, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0, RETRY_AFTER_MAX_MS},
    {"Fri, 31 Dec 9999 23:59:59 GMT", EXAMPLE_S, RETRY_AFTER_MAX_MS},
    {"Mon, 01 Jan 0001 00:00:00 GMT", EXAMPLE_S, 0},

    {"", 0, -1},
    {" ", 0, -1},
    {"soon", 0, -1},
    {"-1", 0, -1},
    {"+1", 0, -1},
    {"1.5", 0, -1},
    {"1e3", 0, -1},
    {"0x10", 0, -1},
    {"1 2", 0, -1},
    {"120s", 0, -1},
    {"120, 60", 0, -1},
    {"\xC3\xA9", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37 CET", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT x", 0, -1},
    {"Sun, 06 Foo 1994 08:49:37 GMT", 0, -1},
    {"Sun, 42 Nov 1994 08:49:37 GMT", 0, -1},
    {"Sun, 06 Nov 1994 25:49:37 GMT", 0, -1},
    {"1994-11-06T08:49:37Z", 0, -1},
};

static void
test_rows(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        int64_t wait_ms = retry_after_ms(row->value, row->now_s);

        if (wait_ms != row->wait_ms) {
            print_error("\"%s\": %lld\n", row->value, (long long)wait_ms);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests_name("retry_after", tests, NULL, NULL);
}
