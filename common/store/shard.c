/*
 * shard: tags by search. The integers below 109,758 cover all slots.
 */
#include "shard.h"

#include <string.h>

#include "base/decimal.h"
#include "base/mix.h"
#include "redis/key_slot.h"

/*
 * The set of an id (accept-set.lua) is taken from the same mix of it. Without
 * another constant the ids of one shard would share few of its sets.
 */
static const uint64_t SHARD_SALT = 0x9E3779B97F4A7C15u;

int
shard_slot(int64_t tag)
{
    char digits[DECIMAL_TEXT_SIZE];

    return key_slot(digits, decimal_format(digits, tag));
}

int64_t
shard_tag(int64_t shard, int64_t shards)
{
    int wanted =
        (int)((shard_slot(0) + shard * KEY_SLOTS / shards) % KEY_SLOTS);
    int64_t tag = 0;

    while (shard_slot(tag) != wanted) {
        tag++;
    }
    return tag;
}

int64_t
shard_of(int64_t id, int64_t shards)
{
    unsigned __int128 wide = mix64((uint64_t)id ^ SHARD_SALT);

    return (int64_t)(wide * (uint64_t)shards >> 64);
}

/* A part of a limit, rounded up. */
static int64_t
part_of(int64_t limit, int64_t parts)
{
    return limit / parts + (limit % parts != 0);
}

void
shard_view(struct options *view, const struct options *options, int64_t shard)
{
    int64_t shards = options->redis.shards;

    *view = *options;
    view->redis.shard = shard;
    view->redis.tag = shard_tag(shard, shards);
    view->callbacks.max_queue = part_of(options->callbacks.max_queue, shards);
    view->callbacks.max_dead = part_of(options->callbacks.max_dead, shards);
}
