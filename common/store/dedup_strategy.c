/*
 * dedup_strategy: the rows. conf/verve.conf says what each strategy is good
 * for; accept-<strategy>.lua does the counting.
 */
#include "dedup_strategy.h"

#include "accept-hll-told.lua.h"
#include "accept-hll.lua.h"
#include "accept-set-told.lua.h"
#include "accept-set.lua.h"
#include "accept-setnx-told.lua.h"
#include "accept-setnx.lua.h"
#include "base/mix.h"
#include "base/util.h"
#include "keys.h"

static struct key_parts
parts_of(const struct dedup_batch *batch)
{
    return (struct key_parts){.prefix = batch->options->redis.prefix,
                              .tag = batch->options->redis.tag,
                              .window_s = batch->window_s};
}

static void
add_ids(struct command *call, const struct dedup_batch *batch)
{
    size_t i;

    for (i = 0; i < batch->count; i++) {
        redis_arg_int(call, batch->requests[i].id);
    }
}

static void
setnx_keys(struct command *call, const struct dedup_batch *batch)
{
    struct key_parts parts = parts_of(batch);
    struct key_stem stem = keys_stem(KEY_SEEN_ID, &parts);
    size_t i;

    for (i = 0; i < batch->count; i++) {
        keys_add_numbered(call, &stem, batch->requests[i].id);
    }
}

static void
setnx_args(struct command *call, const struct dedup_batch *batch)
{
    if (batch->jobs) {
        redis_arg_int(call, 0);
    }
}

int64_t
dedup_strategy_set(int64_t id, int64_t sets)
{
    return (int64_t)(mix64((uint64_t)id) % (uint64_t)sets);
}

/* The least number of sets of a shard, so that all shards together have 1024,
   or each of them 16. */
static int64_t
least_sets(const struct options *options)
{
    return int64_max(16, 1024 / int64_max(options->redis.shards, 1));
}

static void
set_keys(struct command *call, const struct dedup_batch *batch)
{
    struct key_parts parts = parts_of(batch);
    struct key_parts before = parts;
    struct key_stem stem = keys_stem(KEY_SEEN_SET, &parts);
    size_t i;

    before.window_s -= batch->options->window.seconds;
    keys_add(call, KEY_SETS, &parts);
    keys_add(call, KEY_COUNT, &before);
    for (i = 0; batch->sets > 0 && i < batch->count; i++) {
        keys_add_numbered(
            call, &stem,
            dedup_strategy_set(batch->requests[i].id, batch->sets));
    }
}

/* If the number of sets is not known, the call only asks for it. */
static void
set_args(struct command *call, const struct dedup_batch *batch)
{
    if (batch->sets > 0) {
        redis_arg_int(call, 1 + (int64_t)batch->count);
        redis_arg_int(call, batch->sets);
        add_ids(call, batch);
    } else {
        redis_arg_int(call, 2);
        redis_arg_int(call, 0);
        redis_arg_int(call, least_sets(batch->options));
    }
}

static void
hll_keys(struct command *call, const struct dedup_batch *batch)
{
    struct key_parts parts = parts_of(batch);

    keys_add(call, KEY_SEEN_HLL, &parts);
}

static void
hll_args(struct command *call, const struct dedup_batch *batch)
{
    redis_arg_int(call, (int64_t)batch->count);
    add_ids(call, batch);
}

static const struct dedup_strategy rows[] = {
    [DEDUP_SETNX] = {&script_accept_setnx, &script_accept_setnx_told,
                     setnx_keys, setnx_args},
    [DEDUP_SET] = {&script_accept_set, &script_accept_set_told, set_keys,
                   set_args},
    [DEDUP_HLL] = {&script_accept_hll, &script_accept_hll_told, hll_keys,
                   hll_args},
};

const struct dedup_strategy *
dedup_strategy_row(int strategy)
{
    return &rows[strategy];
}
