/*
 * dns_cache: with the C library's resolver, and names that need no name server:
 * localhost, and texts that cannot be names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/dns_cache.h"

enum { PATIENCE_MS = 5000, WAITS = 3 };

struct fixture {
    struct event_loop *loop;
    struct dns_cache *cache;
    struct dns_cache_wait waits[WAITS];
    int calls; /* of the handler */
    enum dns_cache_answer answer;
};

static void
on_answer(void *context, struct dns_cache_wait *wait,
          enum dns_cache_answer answer)
{
    struct fixture *f = context;

    assert_ptr_equal(wait->context, f);
    assert_null(wait->queue);
    f->answer = answer;
    f->calls++;
    event_loop_stop(f->loop);
}

static int
setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.loop = event_loop_open()};
    fixture.cache =
        dns_cache_open(fixture.loop, PATIENCE_MS, on_answer, &fixture);
    for (size_t i = 0; i < WAITS; i++) {
        fixture.waits[i].context = &fixture;
    }
    *state = &fixture;
    return fixture.cache == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    dns_cache_close(f->cache);
    event_loop_close(f->loop);
    return 0;
}

static enum dns_cache_answer
ask(struct fixture *f, const char *host, size_t wait, const char **addresses)
{
    return dns_cache_lookup(f->cache, host, &f->waits[wait], addresses);
}

static void
test_found_once_for_all(void **state)
{
    struct fixture *f = *state;
    const char *addresses = "";

    assert_int_equal(ask(f, "localhost", 0, &addresses), DNS_CACHE_WAIT);
    assert_null(addresses);
    assert_int_equal(ask(f, "LocalHost", 1, &addresses), DNS_CACHE_WAIT);
    event_loop_run(f->loop);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
    assert_int_equal(ask(f, "localhost", 2, &addresses), DNS_CACHE_KNOWN);
    assert_non_null(addresses);
    assert_true(strstr(addresses, "127.0.0.1") != NULL ||
                strstr(addresses, "[::1]") != NULL);
    assert_int_equal(f->calls, 2);
}

static void
test_no_such_name(void **state)
{
    static const char host[] = "a-label-that-is-far-too-long-for-the-domain-"
                               "name-system-which-takes-63-bytes.invalid";
    struct fixture *f = *state;
    const char *addresses;

    assert_int_equal(ask(f, host, 0, &addresses), DNS_CACHE_WAIT);
    event_loop_run(f->loop);
    assert_int_equal(f->answer, DNS_CACHE_FAILED);
    assert_int_equal(ask(f, host, 0, &addresses), DNS_CACHE_WAIT);
    dns_cache_cancel(&f->waits[0]);
}

static void
test_too_long_a_name(void **state)
{
    struct fixture *f = *state;
    const char *addresses;
    char host[300];

    memset(host, 'a', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    assert_int_equal(ask(f, host, 0, &addresses), DNS_CACHE_FAILED);
    assert_null(f->waits[0].queue);
}

static void
test_cancelled(void **state)
{
    struct fixture *f = *state;
    const char *addresses;

    assert_int_equal(ask(f, "localhost", 0, &addresses), DNS_CACHE_WAIT);
    assert_int_equal(ask(f, "localhost", 1, &addresses), DNS_CACHE_WAIT);
    dns_cache_cancel(&f->waits[0]);
    dns_cache_cancel(&f->waits[0]);
    event_loop_run(f->loop);
    assert_int_equal(f->calls, 1);
}

/* More names than are looked up at a time, and than are kept. */
static void
test_many(void **state)
{
    struct fixture *f = *state;
    struct dns_cache_wait waits[DNS_CACHE_KEPT_MAX + 100];
    size_t count = sizeof(waits) / sizeof(waits[0]);
    int64_t end_ms = clock_mono_ms() + 4 * PATIENCE_MS;
    const char *addresses;
    char host[32];

    for (size_t i = 0; i < count; i++) {
        /* Not a valid name: the C library asks no name server. */
        snprintf(host, sizeof(host), "%zu..x", i);
        waits[i] = (struct dns_cache_wait){.context = f};
        assert_int_equal(
            dns_cache_lookup(f->cache, host, &waits[i], &addresses),
            DNS_CACHE_WAIT);
    }
    while (f->calls < (int)count && clock_mono_ms() < end_ms) {
        event_loop_run(f->loop);
    }
    assert_int_equal(f->calls, count);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_once_for_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_such_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };

    return cmocka_run_group_tests_name("dns_cache", tests, NULL, NULL);
}
