/*
 * test_id_cache: the cache has the ids that were added for the same window,
 * data and connection, as long as there is room. It never has another id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "id_cache.h"

static const struct id_cache_scope here = {
    .window_s = 60, .born_us = 7, .connection = 3};

static struct id_cache *
open_cache(size_t most)
{
    struct id_cache *cache = id_cache_open(most);

    assert_non_null(cache);
    id_cache_renew(cache, &here, 1000);
    return cache;
}

/* Ids of several kinds, some of which are hard for a hash: id i of kind k. */
static int64_t
id_of_kind(unsigned k, uint64_t i)
{
    static const uint64_t factors[] = {
        1,
        4096,
        (uint64_t)1 << 44,
        (uint64_t)-1,
        0x9E3779B97F4A7C15u,
        0xF1DE83E19937733Du /* the inverse of the hash's factor */};

    return (int64_t)(i * factors[k]);
}
enum { KINDS = 6 };

static void
test_has_what_was_added_and_nothing_else(void **state)
{
    enum { IDS = 3000 };

    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct id_cache *cache = open_cache(IDS);
        int missed = 0;

        for (uint64_t i = 0; i < IDS; i++) {
            id_cache_add(cache, id_of_kind(kind, 2 * i));
        }
        for (uint64_t i = 0; i < IDS; i++) {
            missed += !id_cache_has(cache, id_of_kind(kind, 2 * i));
            assert_false(id_cache_has(cache, id_of_kind(kind, 2 * i + 1)));
        }
        /* Ids of the last kind collide: there may be no room for them. */
        assert_true(missed == 0 || kind == KINDS - 1);
        id_cache_close(cache);
    }
}

static void
test_what_finds_no_room_is_not_remembered(void **state)
{
    struct id_cache *cache = open_cache(10);
    int has = 0;

    (void)state;
    for (int64_t id = 0; id < 1000; id++) {
        id_cache_add(cache, id);
    }
    for (int64_t id = 0; id < 1000; id++) {
        has += id_cache_has(cache, id);
    }
    assert_int_equal(has, 10);
    id_cache_close(cache);
}

static void
test_adding_twice_takes_no_room(void **state)
{
    struct id_cache *cache = open_cache(2);

    (void)state;
    id_cache_add(cache, 5);
    id_cache_add(cache, 5);
    id_cache_add(cache, 6);
    assert_true(id_cache_has(cache, 5));
    assert_true(id_cache_has(cache, 6));
    id_cache_close(cache);
}

static void
test_of_no_size_it_has_nothing(void **state)
{
    struct id_cache *cache = open_cache(0);

    (void)state;
    id_cache_add(cache, 0);
    assert_false(id_cache_has(cache, 0));
    assert_int_equal(id_cache_window(cache, 3, 0), 0);
    id_cache_close(cache);
}

static void
test_forgets_where_anything_is_new(void **state)
{
    static const struct id_cache_scope others[] = {
        {.window_s = 120, .born_us = 7, .connection = 3},
        {.window_s = 60, .born_us = 8, .connection = 3},
        {.window_s = 60, .born_us = 7, .connection = 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct id_cache *cache = open_cache(8);

        id_cache_add(cache, 5);
        id_cache_renew(cache, &here, 2000);
        assert_true(id_cache_has(cache, 5));
        id_cache_renew(cache, &others[i], 2000);
        assert_false(id_cache_has(cache, 5));
        id_cache_renew(cache, &here, 2000);
        assert_false(id_cache_has(cache, 5));
        id_cache_close(cache);
    }
}

/* More windows than a slot's age can count. */
static void
test_forgets_any_number_of_times(void **state)
{
    struct id_cache *cache = open_cache(8);
    struct id_cache_scope scope = here;

    (void)state;
    for (int64_t window = 1; window < 1000; window++) {
        scope.window_s = window;
        id_cache_renew(cache, &scope, 1000);
        assert_false(id_cache_has(cache, window % 5));
        id_cache_add(cache, window % 5);
        assert_true(id_cache_has(cache, window % 5));
    }
    id_cache_close(cache);
}

static void
test_tells_its_window_while_that_is_known(void **state)
{
    struct id_cache *cache = open_cache(8);

    (void)state;
    assert_int_equal(id_cache_window(cache, 3, 999), 0);
    id_cache_add(cache, 5);
    assert_int_equal(id_cache_window(cache, 3, 999), 60);
    assert_int_equal(id_cache_window(cache, 3, 1000), 0);
    assert_int_equal(id_cache_window(cache, 4, 999), 0);
    assert_int_equal(id_cache_window(cache, 0, 999), 0);
    id_cache_renew(cache, &here, 2000);
    assert_int_equal(id_cache_window(cache, 3, 1000), 60);
    id_cache_close(cache);
}

static void
test_no_connection_is_never_known(void **state)
{
    static const struct id_cache_scope none = {.window_s = 60, .born_us = 7};
    struct id_cache *cache = open_cache(8);

    (void)state;
    id_cache_renew(cache, &none, 1000);
    id_cache_add(cache, 5);
    assert_int_equal(id_cache_window(cache, 0, 0), 0);
    id_cache_close(cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_what_was_added_and_nothing_else),
        cmocka_unit_test(test_what_finds_no_room_is_not_remembered),
        cmocka_unit_test(test_adding_twice_takes_no_room),
        cmocka_unit_test(test_of_no_size_it_has_nothing),
        cmocka_unit_test(test_forgets_where_anything_is_new),
        cmocka_unit_test(test_forgets_any_number_of_times),
        cmocka_unit_test(test_tells_its_window_while_that_is_known),
        cmocka_unit_test(test_no_connection_is_never_known),
    };

    return cmocka_run_group_tests_name("id_cache", tests, NULL, NULL);
}
