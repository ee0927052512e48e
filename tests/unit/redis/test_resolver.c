/*
 * resolver: a number is no name. A name server, which may be slow or away, is
 * not asked for it, so that the result is there at once.
 */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis/resolver.h"

static const char *const numbers[] = {"127.0.0.1", "10.255.255.254", "::1",
                                      "2001:db8::1", "::ffff:10.0.0.1"};

static void
test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct resolver *resolver = resolver_open(numbers[i], "6379");
        const struct addrinfo *found = NULL;
        char host[NI_MAXHOST];
        char port[NI_MAXSERV];

        assert_non_null(resolver);
        resolver_start(resolver);
        assert_int_equal(resolver_result(resolver, &found), RESOLVER_DONE);
        assert_null(found->ai_next);
        assert_int_equal(getnameinfo(found->ai_addr, found->ai_addrlen, host,
                                     sizeof(host), port, sizeof(port),
                                     NI_NUMERICHOST | NI_NUMERICSERV),
                         0);
        assert_string_equal(host, numbers[i]);
        assert_string_equal(port, "6379");
        resolver_start(resolver);
        assert_int_equal(resolver_result(resolver, &found), RESOLVER_DONE);
        resolver_close(resolver);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
