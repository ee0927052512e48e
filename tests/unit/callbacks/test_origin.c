/*
 * test_origin: which URLs have the same destination.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/origin.h"

static const struct row {
    const char *url;
    const char *origin;
} rows[] = {
    {"http://h", "http://h:80"},
    {"http://h/", "http://h:80"},
    {"HTTP://H/P", "http://h:80"},
    {"https://h", "https://h:443"},
    {"hTTpS://h?q", "https://h:443"},
    {"http://h:80/", "http://h:80"},
    {"http://h:080/", "http://h:80"},
    {"http://h:/", "http://h:80"},
    {"https://h:/", "https://h:443"},
    {"https://h:80/", "https://h:80"},
    {"http://h:65535?a:1", "http://h:65535"},
    {"http://h#a/b:1", "http://h:80"},
    {"http://h1/", "http://h1:80"},
    {"http://10.0.0.1", "http://10.0.0.1:80"},
    {"http://10.0.0.1:8080/x?http://y:1/", "http://10.0.0.1:8080"},
    {"http://[::1]", "http://[::1]:80"},
    {"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"},

    /* Text that is no endpoint. */
    {"", "://:80"},
    {"h", "://h:80"},
    {"http://", "http://:80"},
    {"http://:1", "http://:1"},
    {"http://h:99999999999999999999/", "http://h:80"},
};

static void
test_rows(void **state)
{
    char origin[ORIGIN_SIZE];
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        origin_read(rows[i].url, origin);
        if (strcmp(origin, rows[i].origin) != 0) {
            print_error("\"%s\": \"%s\"\n", rows[i].url, origin);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* The longest endpoint keeps its port; a longer text is cut. */
static void
test_length(void **state)
{
    char url[2 * ENDPOINT_URL_MAX_BYTES] = "http://";
    char origin[ORIGIN_SIZE];

    (void)state;
    memset(url + 7, 'a', ENDPOINT_URL_MAX_BYTES - 7);
    origin_read(url, origin);
    assert_string_equal(origin + ENDPOINT_URL_MAX_BYTES, ":80");
    memset(url + 7, 'a', sizeof(url) - 8);
    origin_read(url, origin);
    assert_int_equal(strlen(origin), ORIGIN_SIZE - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
