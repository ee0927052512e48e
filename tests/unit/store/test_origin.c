/*
 * test_origin: what is the same destination, and the hash of its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/origin.h"

static const struct origin_row {
    const char *url;
    const char *origin;
} origin_rows[] = {
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

    /* Not valid endpoints. */
    {"", "://:80"},
    {"h", "://h:80"},
    {"http://", "http://:80"},
    {"http://:1", "http://:1"},
    {"http://h:99999999999999999999/", "http://h:80"},
};

static void
test_origins(void **state)
{
    char origin[ORIGIN_SIZE];
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(origin_rows) / sizeof(origin_rows[0]); i++) {
        origin_read(origin_rows[i].url, strlen(origin_rows[i].url), origin);
        if (strcmp(origin, origin_rows[i].origin) != 0) {
            print_error("\"%s\": \"%s\"\n", origin_rows[i].url, origin);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* The longest endpoint keeps its port; a longer text is cut. */
static void
test_long_origin(void **state)
{
    char url[2 * ENDPOINT_URL_MAX_BYTES] = "http://";
    char origin[ORIGIN_SIZE];

    (void)state;
    memset(url + 7, 'a', ENDPOINT_URL_MAX_BYTES - 7);
    origin_read(url, strlen(url), origin);
    assert_string_equal(origin + ENDPOINT_URL_MAX_BYTES, ":80");
    memset(url + 7, 'a', sizeof(url) - 8);
    origin_read(url, strlen(url), origin);
    assert_int_equal(strlen(origin), ORIGIN_SIZE - 1);
}

/* Only the bytes that belong to the URL are read. */
static void
test_part_of_a_text(void **state)
{
    static const char text[] = "http://h/?x://y:5";
    char origin[ORIGIN_SIZE];

    (void)state;
    origin_read(text, strlen("http://h"), origin);
    assert_string_equal(origin, "http://h:80");
    origin_read(text, strlen("http:"), origin);
    assert_string_equal(origin, "://http:80");
}

/* As Redis's redis.sha1hex and sha1sum(1) have it. */
static void
test_hash(void **state)
{
    char hash[ORIGIN_HASH_SIZE];

    (void)state;
    assert_int_equal(origin_hash("http://h:80", hash), 0);
    assert_string_equal(hash, "9e6d9cc1b800d0c67a9d5057e3b0e34a");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_long_origin),
        cmocka_unit_test(test_part_of_a_text),
        cmocka_unit_test(test_hash),
    };

    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
