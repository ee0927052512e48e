/*
 * dns_servers: the texts that are lists of name servers, and those that are
 * not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns_servers.h"

static void
test_lists(void **state)
{
    static const struct {
        const char *text;
        const char *list;
    } rows[] = {
        {"", ""},
        {" , ", ""},
        {"192.0.2.1", "192.0.2.1:53"},
        {"192.0.2.1:5353", "192.0.2.1:5353"},
        {"192.0.2.1, 192.0.2.2:1 ,,\t::1", "192.0.2.1:53,192.0.2.2:1,[::1]:53"},
        {"2001:DB8::1", "[2001:db8::1]:53"},
        {"[2001:db8::1]", "[2001:db8::1]:53"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"::", "[::]:53"},
    };
    char why[DNS_SERVERS_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *list = dns_servers_parse(rows[i].text, why);

        print_message("%s\n", rows[i].text);
        assert_non_null(list);
        assert_string_equal(list, rows[i].list);
        free(list);
    }
}

static void
test_refused(void **state)
{
    static const char *const texts[] = {
        "localhost",
        "ns.test:53",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:x",
        "192.0.2.1:-1",
        "192.0.2.1:+5",
        "192.0.2.0/24",
        "192.0.2",
        "[::1",
        "[::1]x",
        "[::1]53",
        "[]",
        "[192.0.2.1/8]",
        "::1:x",
        ":53",
        "192.0.2.1;192.0.2.2",
        "192.0.2.1,,bad",
        "a-very-long-entry-that-is-no-address-at-all-and-is-not-shown-in-full",
    };
    char why[DNS_SERVERS_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        print_message("%s\n", texts[i]);
        errno = 0;
        assert_null(dns_servers_parse(texts[i], why));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(why, "is no address"));
    }
    assert_null(dns_servers_parse("192.0.2.1 bad 192.0.2.2", why));
    assert_string_equal(why, "\"bad\" is no address with or without a port");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("dns_servers", tests, NULL, NULL);
}
