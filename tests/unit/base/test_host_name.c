/*
 * test_host_name: which texts are host names, by a table of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/host_name.h"

#define A21 "aaaaaaaaaaaaaaaaaaaaa"
#define A63 A21 A21 A21
#define N253 A63 "." A63 "." A63 "." A21 A21 "aaaaaaaaaaaaaaaaaaa"

static const char *const goods[] = {
    "h",
    "H.Example",
    "a.example.",
    "a-b.example",
    "-a.example",
    "_",
    "_a_.b_c",
    "xn--mnchen-3ya.example",
    "3com.example",
    "a.1",
    "1.2.3.4",
    "255.255.255.255",
    A63,
    A63 ".",
    N253,
    N253 ".",
};

static const char *const bads[] = {
    "",
    ".",
    "..",
    ".a",
    "a..",
    "a..b",
    "|",
    "a|b",
    "%",
    "a%",
    "a%7Cb",
    "a b",
    "a\x01",
    "a\x7f",
    "\xc3\xbc",
    "a:1",
    "a/b",
    "a\\b",
    "a~b",
    "a+b",
    "a!b",
    "a$b",
    "a&b",
    "a'b",
    "a(b)",
    "a*b",
    "a,b",
    "a;b",
    "a=b",
    "a@b",
    "a\"b",
    "a<b>",
    "a^b",
    "a`b",
    "a{b}",
    "[::1]",
    "::1",
    "08",
    "1.2.3",
    "1.2.3.4.",
    "1.2.3.256",
    "1.2.3.4.5",
    "1.2.3.0004",
    A63 "a",
    "b." A63 "a.b",
    N253 "a",
    "9999999999999999999999999999",
};

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        if (!host_name_is_valid(goods[i], strlen(goods[i]))) {
            fail_msg("%s: refused", goods[i]);
        }
    }
}

static void
test_bad(void **state)
{
    (void)state;
    assert_int_equal(strlen(N253), 253);
    assert_false(host_name_is_valid("a\0b", 3));
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        if (host_name_is_valid(bads[i], strlen(bads[i]))) {
            fail_msg("%s: accepted", bads[i]);
        }
    }
}

/* Only the first bytes count. */
static void
test_length(void **state)
{
    (void)state;
    assert_true(host_name_is_valid("a|b", 1));
    assert_false(host_name_is_valid("a|b", 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("host_name", tests, NULL, NULL);
}
