/*
 * dns_cache: with a name server of the test's own, localhost, and texts that
 * cannot be names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "name_server.h"
#include "net/dns_cache.h"

enum { PATIENCE_MS = 1500, LIMIT_MS = 30000, WAITS = 3 };

struct fixture {
    struct event_loop *loop;
    struct name_server server;
    struct dns_cache *cache;
    struct dns_cache_wait waits[WAITS];
    struct event_loop_timer limit;
    int calls; /* of the handler */
    int until; /* the loop stops after so many */
    enum dns_cache_answer answer;
};

static void
on_answer(void *context, struct dns_cache_wait *wait,
          enum dns_cache_answer answer)
{
    struct fixture *f = context;

    assert_ptr_equal(wait->context, f);
    assert_null(wait->name);
    f->answer = answer;
    f->calls++;
    if (f->calls >= f->until) {
        event_loop_stop(f->loop);
    }
}

static void
on_limit(void *context)
{
    event_loop_stop(context);
}

/* Runs the loop for ms, or until the handler was called so many times. */
static void
run(struct fixture *f, int until, int64_t ms)
{
    f->until = until;
    if (f->calls < until) {
        event_loop_arm(f->loop, &f->limit, ms);
        event_loop_run(f->loop);
        event_loop_disarm(f->loop, &f->limit);
    }
}

static int
setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.loop = event_loop_open(), .server.ttl_s = 60};
    fixture.limit.handler = on_limit;
    fixture.limit.context = fixture.loop;
    name_server_open(&fixture.server, fixture.loop);
    fixture.cache = dns_cache_open(fixture.loop, fixture.server.address,
                                   PATIENCE_MS, on_answer, &fixture);
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
    name_server_close(&f->server, f->loop);
    event_loop_close(f->loop);
    return 0;
}

static enum dns_cache_answer
ask(struct fixture *f, const char *host, size_t wait)
{
    return dns_cache_lookup(f->cache, host, &f->waits[wait]);
}

static void
test_found_once_for_all(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    assert_null(dns_cache_addresses(f->cache, "good.test"));
    assert_int_equal(ask(f, "Good.Test", 1), DNS_CACHE_WAIT);
    run(f, 2, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
    assert_int_equal(ask(f, "good.test", 2), DNS_CACHE_KNOWN);
    assert_string_equal(dns_cache_addresses(f->cache, "GOOD.test"),
                        "127.0.0.1");
    assert_int_equal(f->calls, 2);
    assert_int_equal(f->server.asked, 1);
}

static void
test_hosts_file(void **state)
{
    struct fixture *f = *state;
    const char *addresses;

    assert_int_equal(ask(f, "LocalHost", 0), DNS_CACHE_KNOWN);
    addresses = dns_cache_addresses(f->cache, "localhost");
    assert_non_null(addresses);
    assert_true(strstr(addresses, "127.0.0.1") != NULL ||
                strstr(addresses, "[::1]") != NULL);
    assert_int_equal(f->server.asked, 0);
}

/* Not a name, and too long for a name. */
static void
test_no_name(void **state)
{
    struct fixture *f = *state;
    char host[300];

    assert_int_equal(ask(f, "g..test", 0), DNS_CACHE_FAILED);
    memset(host, 'a', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    assert_int_equal(ask(f, host, 0), DNS_CACHE_FAILED);
    assert_null(f->waits[0].name);
    assert_int_equal(f->server.asked, 0);
}

/* It is not asked for again, until its time is over. */
static void
test_a_failure_is_remembered(void **state)
{
    struct fixture *f = *state;
    int asked;

    assert_int_equal(ask(f, "missing.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_FAILED);
    asked = f->server.asked;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ask(f, "missing.test", 0), DNS_CACHE_FAILED);
    }
    run(f, 2, 100);
    assert_int_equal(f->server.asked, asked);
}

/* Not at once. Since 1.22, c-ares takes up to half of each further try away at
   random. */
static void
test_silence_is_a_failure(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = clock_mono_ms();

    assert_int_equal(ask(f, "silent.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_FAILED);
    assert_true(clock_mono_ms() - start_ms >= PATIENCE_MS / 2);
    assert_int_equal(ask(f, "silent.test", 0), DNS_CACHE_FAILED);
}

/* The lifetime of the records counts. */
static void
test_looked_up_again_after_its_ttl(void **state)
{
    struct fixture *f = *state;

    f->server.ttl_s = 2;
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    run(f, 2, 1000);
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_KNOWN);
    assert_int_equal(f->server.asked, 1);
    run(f, 2, 1100);
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 2, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
    assert_int_equal(f->server.asked, 2);
}

/* The old addresses are used if there is no answer. */
static void
test_stale_if_silent(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms;

    f->server.ttl_s = 0;
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    run(f, 2, DNS_CACHE_TTL_MIN_MS + 100);
    f->server.silent = true;
    start_ms = clock_mono_ms();
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 2, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
    assert_true(clock_mono_ms() - start_ms >= DNS_CACHE_STALE_WAIT_MS - 100);
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_KNOWN);
    run(f, 3, PATIENCE_MS);
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_KNOWN);
}

static void
test_cancelled(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    assert_int_equal(ask(f, "good.test", 1), DNS_CACHE_WAIT);
    dns_cache_cancel(f->cache, &f->waits[0]);
    run(f, 2, 500);
    assert_int_equal(f->calls, 1);
}

/* Asks for count silent names, a number and zone; returns how many of them were
   asked for. */
static int
ask_silent(struct fixture *f, struct dns_cache_wait *waits, int count,
           const char *zone)
{
    int asked = 0;
    char host[32];

    for (int i = 0; i < count; i++) {
        enum dns_cache_answer answer;

        snprintf(host, sizeof(host), "silent%d%s", i, zone);
        waits[i] = (struct dns_cache_wait){.context = f};
        answer = dns_cache_lookup(f->cache, host, &waits[i]);
        assert_true(answer == DNS_CACHE_WAIT || answer == DNS_CACHE_UNASKED);
        asked += answer == DNS_CACHE_WAIT;
    }
    return asked;
}

/* Names of one zone get a part of the look-ups; others are found meanwhile. */
static void
test_silent_zone(void **state)
{
    enum { NAMES = 2000 };
    static struct dns_cache_wait waits[NAMES];
    struct fixture *f = *state;
    int64_t start_ms;

    assert_int_equal(ask(f, "good.known", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    assert_int_equal(ask_silent(f, waits, NAMES, ".zone.test"),
                     DNS_CACHE_ZONE_MAX);
    start_ms = clock_mono_ms();
    assert_int_equal(ask(f, "good.known", 0), DNS_CACHE_KNOWN);
    assert_int_equal(ask(f, "good.other.test", 0), DNS_CACHE_WAIT);
    run(f, 2, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
    assert_true(clock_mono_ms() - start_ms < PATIENCE_MS / 2);
    run(f, 2 + DNS_CACHE_ZONE_MAX, LIMIT_MS);
    assert_int_equal(f->calls, 2 + DNS_CACHE_ZONE_MAX);
    assert_int_equal(ask(f, "good.zone.test", 0), DNS_CACHE_WAIT);
}

/* Names of as many zones: a known name is refreshed all the same. */
static void
test_known_names_come_first(void **state)
{
    enum { NAMES = DNS_CACHE_NEW_MAX + 100 };
    static struct dns_cache_wait waits[NAMES];
    struct fixture *f = *state;

    f->server.ttl_s = 0;
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    run(f, 2, DNS_CACHE_TTL_MIN_MS + 100);
    assert_int_equal(ask_silent(f, waits, NAMES, ".test"), DNS_CACHE_NEW_MAX);
    assert_int_equal(ask(f, "good.new", 1), DNS_CACHE_UNASKED);
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 2, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
}

/* More names than are kept, one after the other. */
static void
test_many(void **state)
{
    struct fixture *f = *state;
    int count = DNS_CACHE_KEPT_MAX + 100;
    char host[32];

    for (int i = 0; i < count; i++) {
        snprintf(host, sizeof(host), "%d..x", i); /* fails at once */
        assert_int_equal(ask(f, host, 0), DNS_CACHE_FAILED);
    }
    assert_int_equal(ask(f, "good.test", 0), DNS_CACHE_WAIT);
    run(f, 1, LIMIT_MS);
    assert_int_equal(f->answer, DNS_CACHE_KNOWN);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_found_once_for_all),
        TEST(test_hosts_file),
        TEST(test_no_name),
        TEST(test_a_failure_is_remembered),
        TEST(test_silence_is_a_failure),
        TEST(test_looked_up_again_after_its_ttl),
        TEST(test_stale_if_silent),
        TEST(test_cancelled),
        TEST(test_silent_zone),
        TEST(test_known_names_come_first),
        TEST(test_many),
    };

    return cmocka_run_group_tests_name("dns_cache", tests, NULL, NULL);
}
