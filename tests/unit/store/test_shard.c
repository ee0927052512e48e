/*
 * test_shard: the tags of shards lie evenly over the slots of a cluster, and
 * ids evenly over the shards; slots are those that Redis computes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis/key_slot.h"
#include "store/shard.h"

/* From Redis 7.0.15: CLUSTER KEYSLOT. */
static void
test_slots_are_those_of_redis(void **state)
{
    static const struct {
        const char *key;
        int slot;
    } keys[] = {
        {"123456789", 12739},
        {"{0}", 13907},
        {"verve:{0}:meta", 13907},
        {"foo{}{bar}", 8363},
        {"foo{{bar}}", 4015},
        {"a{b", 13340},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(key_slot(keys[i].key, strlen(keys[i].key)),
                         keys[i].slot);
    }
}

static void
test_tags(void **state)
{
    static const int64_t twelve[] = {0,     9940,  88561, 36,    193,   79583,
                                     19699, 11009, 43112, 23208, 54993, 496};

    (void)state;
    for (int64_t i = 0; i < 12; i++) {
        assert_int_equal(shard_tag(i, 12), twelve[i]);
        if (i < 3) {
            assert_int_equal(shard_tag(i, 3), twelve[4 * i]);
        }
    }
    assert_int_equal(shard_tag(0, 60), 0);
}

/* Masters that share the slots as `redis-cli --cluster create` makes them. */
static void
test_masters_get_equally_many(void **state)
{
    static const int64_t masters[] = {2, 3, 4, 6, 12};

    (void)state;
    for (size_t i = 0; i < sizeof(masters) / sizeof(masters[0]); i++) {
        int64_t count[12] = {0};

        for (int64_t shard = 0; shard < 12; shard++) {
            count[shard_slot(shard_tag(shard, 12)) * masters[i] / KEY_SLOTS]++;
        }
        for (int64_t master = 0; master < masters[i]; master++) {
            assert_int_equal(count[master], 12 / masters[i]);
        }
    }
}

static void
test_ids_are_spread(void **state)
{
    enum { IDS = 60000, SHARDS = 6 };
    int64_t count[SHARDS] = {0};

    (void)state;
    assert_int_equal(shard_of(7, 1), 0);
    for (int64_t id = -IDS / 2; id < IDS / 2; id++) {
        count[shard_of(id, SHARDS)]++;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        assert_in_range(count[i], IDS / SHARDS * 95 / 100,
                        IDS / SHARDS * 105 / 100);
    }
}

static void
test_view(void **state)
{
    struct options options = {.redis.shards = 3,
                              .callbacks = {.max_queue = 10, .max_dead = 3}};
    struct options view;

    (void)state;
    shard_view(&view, &options, 2);
    assert_int_equal(view.redis.shard, 2);
    assert_int_equal(view.redis.tag, 43112);
    assert_int_equal(view.callbacks.max_queue, 4);
    assert_int_equal(view.callbacks.max_dead, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_those_of_redis),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_masters_get_equally_many),
        cmocka_unit_test(test_ids_are_spread),
        cmocka_unit_test(test_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
