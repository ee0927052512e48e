/*
 * dedup: the rows. What each strategy is good for stands in conf/verve.conf,
 * how it counts in its script.
 */
#include "dedup_strategy.h"

#include <inttypes.h>
#include <stdio.h>

#include "accept-hll.lua.h"
#include "accept-set.lua.h"
#include "accept-setnx.lua.h"
#include "schema.h"

/* A key's name up to the number that ends it. A prefix has at most 64 bytes. */
struct stem {
    char text[128];
    size_t len;
};

/* All that is kept of the ids of a window begins so. */
static struct stem
seen_stem(const struct dedup_batch *batch)
{
    struct stem stem;
    int len = snprintf(stem.text, sizeof(stem.text),
                       "%s:" SCHEMA_SHARD ":seen:%" PRId64 ":",
                       batch->options->redis.prefix, batch->window_s);

    stem.len = (size_t)len;
    return stem;
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
    struct stem stem = seen_stem(batch);
    size_t i;

    for (i = 0; i < batch->count; i++) {
        redis_key_int(call, stem.text, stem.len, batch->requests[i].id);
    }
}

static void
setnx_args(struct command *call, const struct dedup_batch *batch)
{
    (void)batch;
    redis_arg_int(call, 0);
}

/*
 * The set that an id is in; all programs on one Redis must agree. Ids are
 * mixed first (splitmix64's last steps, https://prng.di.unimi.it/splitmix64.c)
 * so that regular ones spread as well as random ones.
 */
static int64_t
set_of(int64_t id, int64_t sets)
{
    uint64_t mixed = (uint64_t)id;

    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    mixed ^= mixed >> 31;
    return (int64_t)(mixed % (uint64_t)sets);
}

static void
set_keys(struct command *call, const struct dedup_batch *batch)
{
    const char *prefix = batch->options->redis.prefix;
    struct stem stem = seen_stem(batch);
    size_t i;

    /* No name of an id's own key: the strategy may have been setnx. */
    stem.text[stem.len++] = 's';
    redis_key(call, "%s:" SCHEMA_SHARD ":sets:%" PRId64, prefix,
              batch->window_s);
    redis_key(call, "%s:" SCHEMA_SHARD ":count:%" PRId64, prefix,
              batch->window_s - batch->options->window.seconds);
    for (i = 0; batch->sets > 0 && i < batch->count; i++) {
        redis_key_int(call, stem.text, stem.len,
                      set_of(batch->requests[i].id, batch->sets));
    }
}

/* Where the number of sets is not known, this only asks for it. */
static void
set_args(struct command *call, const struct dedup_batch *batch)
{
    if (batch->sets > 0) {
        redis_arg_int(call, 1 + (int64_t)batch->count);
        redis_arg_int(call, batch->sets);
        add_ids(call, batch);
    } else {
        redis_arg_int(call, 1);
        redis_arg_int(call, 0);
    }
}

static void
hll_keys(struct command *call, const struct dedup_batch *batch)
{
    redis_key(call, "%s:" SCHEMA_SHARD ":seen:%" PRId64,
              batch->options->redis.prefix, batch->window_s);
}

static void
hll_args(struct command *call, const struct dedup_batch *batch)
{
    redis_arg_int(call, (int64_t)batch->count);
    add_ids(call, batch);
}

static const struct dedup_strategy rows[] = {
    [DEDUP_SETNX] = {&script_accept_setnx, setnx_keys, setnx_args},
    [DEDUP_SET] = {&script_accept_set, set_keys, set_args},
    [DEDUP_HLL] = {&script_accept_hll, hll_keys, hll_args},
};

const struct dedup_strategy *
dedup_strategy_row(int strategy)
{
    return &rows[strategy];
}
