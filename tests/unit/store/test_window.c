/*
 * test_window: window arithmetic before and after the epoch, by a
 * table of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/window.h"

static const struct {
    int64_t time_s;
    int64_t length_s;
    int64_t start_s;
} starts[] = {
    {0, 60, 0},
    {59, 60, 0},
    {60, 60, 60},
    {1767323045, 60, 1767323040},
    {1767323045, 1, 1767323045},
    {1767323045, 7, 1767323040},
    {1767323045, 86400, 1767312000},
    {-1, 60, -60},
    {-60, 60, -60},
    {-61, 60, -120},
};

static void
test_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        int64_t start_s = window_start(starts[i].time_s, starts[i].length_s);

        if (start_s != starts[i].start_s) {
            fail_msg("row %zu: %lld", i, (long long)start_s);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
