/*
 * test_deaths: the lines about callbacks that were given up, and when they are
 * logged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/deaths.h"
#include "kept_log.h"

enum { NOW_MS = 1000000 };

static void
test_a_line_for_each_destination(void **state)
{
    struct deaths deaths = {0};

    (void)state;
    kept_lines = 0;
    deaths_log(&deaths, NOW_MS);
    assert_int_equal(kept_lines, 0);
    deaths_note(&deaths, "http://a.example/x", "timeout");
    deaths_note(&deaths, "https://a.example/", "tls");
    deaths_note(&deaths, "http://A.example:80/y", "status-410");
    deaths_log(&deaths, NOW_MS);
    assert_int_equal(kept_lines, 2);
    assert_string_equal(kept_log[0], "WARN msg=\"callbacks given up\" "
                                     "destination=http://a.example:80 count=2 "
                                     "error=status-410");
    assert_string_equal(kept_log[1],
                        "WARN msg=\"callbacks given up\" "
                        "destination=https://a.example:443 count=1 error=tls");
}

static void
test_once_a_minute(void **state)
{
    struct deaths deaths = {0};

    (void)state;
    kept_lines = 0;
    deaths_note(&deaths, "http://a.example/", "timeout");
    deaths_log(&deaths, NOW_MS);
    assert_int_equal(kept_lines, 1);
    for (int i = 0; i < 7; i++) {
        deaths_note(&deaths, "http://a.example/", "timeout");
        deaths_log(&deaths, NOW_MS + DEATHS_PERIOD_MS - 1);
    }
    assert_int_equal(kept_lines, 1);
    deaths_log(&deaths, NOW_MS + DEATHS_PERIOD_MS);
    assert_int_equal(kept_lines, 2);
    assert_non_null(strstr(kept_log[1], " count=7 "));
    deaths_log(&deaths, NOW_MS + 3 * DEATHS_PERIOD_MS);
    assert_int_equal(kept_lines, 2);
}

/* Hosts are chosen by clients: there may be any number of them. */
static void
test_many_destinations_are_summed_up(void **state)
{
    struct deaths deaths = {0};

    (void)state;
    kept_lines = 0;
    for (int i = 0; i < 1000; i++) {
        char url[64];

        snprintf(url, sizeof(url), "http://h%d.example/", i);
        deaths_note(&deaths, url, "connect");
    }
    deaths_log(&deaths, NOW_MS);
    assert_int_equal(kept_lines, DEATHS_ROWS + 1);
    assert_string_equal(
        kept_log[DEATHS_ROWS],
        "WARN msg=\"callbacks given up, to other destinations\" "
        "count=980");
    /* The rows are free again. */
    deaths_note(&deaths, "http://new.example/", "connect");
    deaths_log(&deaths, NOW_MS + DEATHS_PERIOD_MS);
    assert_int_equal(kept_lines, DEATHS_ROWS + 2);
    assert_non_null(
        strstr(kept_log[DEATHS_ROWS + 1], "=http://new.example:80 count=1 "));
}

static void
test_long_origins_are_cut(void **state)
{
    struct deaths deaths = {0};
    char url[2000] = "http://";

    (void)state;
    kept_lines = 0;
    memset(url + strlen("http://"), 'a', sizeof(url) - strlen("http://") - 1);
    deaths_note(&deaths, url, "resolve");
    deaths_note(&deaths, url, "resolve");
    deaths_log(&deaths, NOW_MS);
    assert_int_equal(kept_lines, 1);
    assert_non_null(strstr(kept_log[0], " count=2 error="));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_for_each_destination),
        cmocka_unit_test(test_once_a_minute),
        cmocka_unit_test(test_many_destinations_are_summed_up),
        cmocka_unit_test(test_long_origins_are_cut),
    };

    return cmocka_run_group_tests_name("deaths", tests, NULL, NULL);
}
