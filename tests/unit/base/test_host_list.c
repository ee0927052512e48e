/*
 * test_host_list: which texts are patterns, and which hosts they match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/host_list.h"

static const struct {
    const char *text;
    bool valid;
} texts[] = {
    {"", true},
    {" , ", true},
    {"a.example", true},
    {"A.Example.", true},
    {"localhost", true},
    {"my_host-1.example", true},
    {"*.example.com,a.example 192.0.2.1", true},
    {"*.com", true},
    {"[2001:db8::1]", true},
    {"2001:db8::1", true},
    {"xn--bcher-kva.example", true},
    {"*", false},
    {"*.", false},
    {"*example.com", false},
    {"a.*.example", false},
    {"*.*.example", false},
    {".example.com", false},
    {"a..example", false},
    {"a.example:80", false},
    {"http://a.example", false},
    {"a.example/x", false},
    {"b\xc3\xbc"
     "cher.example",
     false},
    {"[a.example]", false},
    {"*.2001:db8::1", false},
    {"127.1", false},
    {"0x7f.1", false},
    {"0x7f000001", false},
    {"300.1.1.1", false},
    {"10.0.0.0/8", false},
    {"*.1", false},
};

static const struct {
    const char *text;
    const char *host;
    bool has;
} matches[] = {
    {"", "a.example", false},
    {"a.example", "a.example", true},
    {"a.example", "A.EXAMPLE", true},
    {"A.Example.", "a.example", true},
    {"a.example", "a.example.", true},
    {"a.example", "b.a.example", false},
    {"a.example", "aa.example", false},
    {"*.a.example", "b.a.example", true},
    {"*.a.example", "c.b.A.example.", true},
    {"*.a.example", "a.example", false},
    {"*.a.example", ".a.example", false},
    {"*.a.example", "ba.example", false},
    {"*.a.example", "b.a.example.evil.example", false},
    {"x.example, *.a.example\tb.example", "b.example", true},
    {"x.example, *.a.example\tb.example", "a.a.example", true},
    {"x.example, *.a.example\tb.example", "x", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.10", false},
    {"[2001:DB8:0::1]", "[2001:db8::1]", true},
    {"2001:db8::1", "[2001:db8::1]", true},
    {"2001:db8::1", "[2001:db8::2]", false},
    {"::1:2:3:4:5:6:7,a.example", "a.example", true},
    {"::1:2:3:4:5:6:7,a.example", "[0:1:2:3:4:5:6:7]", true},
    {"a.example", "", false},
};

static void
test_problems(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if ((host_list_problem(texts[i].text) == NULL) != texts[i].valid) {
            print_error("\"%s\" should be %s\n", texts[i].text,
                        texts[i].valid ? "valid" : "refused");
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void
test_matches(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        struct host_list *list = host_list_open(matches[i].text);

        assert_non_null(list);
        if (host_list_has(list, matches[i].host) != matches[i].has) {
            print_error("\"%s\" should %smatch \"%s\"\n", matches[i].text,
                        matches[i].has ? "" : "not ", matches[i].host);
            failed++;
        }
        host_list_close(list);
    }
    assert_int_equal(failed, 0);
}

/* Longer than any name: no pattern, and no host that is in a list. */
static void
test_long_names(void **state)
{
    char name[2 * HOST_LIST_NAME_SIZE];
    struct host_list *list = host_list_open("*.a.example");

    (void)state;
    memset(name, 'a', sizeof(name));
    memcpy(name + sizeof(name) - sizeof(".a.example"), ".a.example",
           sizeof(".a.example"));
    assert_non_null(list);
    assert_non_null(host_list_problem(name));
    assert_false(host_list_has(list, name));
    host_list_close(list);
}

/* What is no pattern is left out; the others stay. */
static void
test_wrong_patterns_are_left_out(void **state)
{
    struct host_list *list = host_list_open("* a.example a/b");

    (void)state;
    assert_non_null(list);
    assert_false(host_list_is_empty(list));
    assert_true(host_list_has(list, "a.example"));
    host_list_close(list);
    list = host_list_open("*");
    assert_non_null(list);
    assert_true(host_list_is_empty(list));
    host_list_close(list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_wrong_patterns_are_left_out),
    };

    return cmocka_run_group_tests_name("host_list", tests, NULL, NULL);
}
