/*
 * listen_address: which texts are addresses.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/listen_address.h"

static void
test_internet_addresses(void **state)
{
    struct listen_address address;
    const struct sockaddr_in *four = (void *)&address.address;
    const struct sockaddr_in6 *six = (void *)&address.address;

    (void)state;
    assert_null(listen_address_parse("127.0.0.1:9464", &address));
    assert_int_equal(address.len, sizeof(*four));
    assert_int_equal(four->sin_family, AF_INET);
    assert_int_equal(ntohs(four->sin_port), 9464);
    assert_int_equal(ntohl(four->sin_addr.s_addr), 0x7F000001);
    assert_null(listen_address_parse("[::1]:1", &address));
    assert_int_equal(address.len, sizeof(*six));
    assert_int_equal(six->sin6_family, AF_INET6);
    assert_int_equal(ntohs(six->sin6_port), 1);
    assert_memory_equal(&six->sin6_addr, &in6addr_loopback, 16);
    assert_null(listen_address_parse("0.0.0.0:65535", &address));
    assert_null(listen_address_parse("[::]:80", &address));
}

static void
test_a_path(void **state)
{
    struct listen_address address;
    const struct sockaddr_un *path = (void *)&address.address;
    char longest[108];

    (void)state;
    assert_null(listen_address_parse("/run/verve/m:1", &address));
    assert_int_equal(path->sun_family, AF_UNIX);
    assert_string_equal(path->sun_path, "/run/verve/m:1");
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[107] = '\0';
    assert_null(listen_address_parse(longest, &address));
    assert_string_equal(path->sun_path, longest);
}

static void
test_none(void **state)
{
    struct listen_address address;

    (void)state;
    assert_null(listen_address_parse("none", &address));
    assert_int_equal(address.len, 0);
}

static void
test_wrong_texts(void **state)
{
    static const char *const texts[] = {
        "",
        "9464",
        ":9464",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "[::1]",
        "::1:9464",
        "1.2.3:80",
        "127.0.0.1:+80",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "[::1:80",
        "localhost:9464",
        "[1.2.3.4]:80",
        "127.0.0.1:80 ",
        "None",
        "*:80",
        "[fe80::1%lo]:80",
        "127.0.0.1:99999999999999999999",
        "[::1::::::::::::::::::::::::::::::::::::::::::::::::::::::]:80",
    };
    char path[109];

    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[108] = '\0';
    assert_non_null(listen_address_problem(path));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (listen_address_problem(texts[i]) == NULL) {
            fail_msg("accepted: \"%s\"", texts[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_internet_addresses),
        cmocka_unit_test(test_a_path),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_wrong_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
