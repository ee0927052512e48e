/*
 * All shards, as a reporter sees them that closes windows: each function asks
 * all of them at the same time, and waits until the last has replied. The order
 * is that of window_closer.h.
 */
#ifndef WINDOW_SHARDS_H
#define WINDOW_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"
#include "window_shard.h"

struct window_shards {
    struct window_shard *list; /* by their numbers */
    size_t count;
    const struct redis *failed; /* on which a run failed last; NULL: none */
};

/* Notes that a run has failed. Always -1, as all functions here reply if Redis
   is away or refuses. */
int window_shards_fail(struct window_shards *shards, const struct redis *redis);

/* Looks at all shards, without changing them. Compares the schema if data was
   reset, or was never seen. */
int window_shards_look(struct window_shards *shards);

/*
 * When the data of shard i began, by the clock of shard 0, as of the last look;
 * or a little later, as two clocks can't be compared exactly: rather a gap too
 * many.
 */
int64_t window_shards_born_s(const struct window_shards *shards, size_t i);

/*
 * Has each shard write down what its reporter knows: settlements has one for
 * each; behind_s is set here. Sets *late to the number of windows that were
 * found to be lost after they had been recorded. If the data of a shard was
 * reset since the last look, nothing is done there: the next look starts from
 * the new data.
 */
int window_shards_settle(struct window_shards *shards,
                         struct window_settlement *settlements, int64_t *late);

/* What all shards have sealed. */
struct window_shards_sealed {
    int64_t now_ms; /* by the clock of shard 0 */
    int64_t on_s;   /* the window that is on */
    size_t count;   /* windows that have ended */
    const struct redis_reply *replies[OPTIONS_SHARDS_MAX];
};

/*
 * Seals those of `count` windows from first_s on that have ended: shard 0
 * first, then the others. If the data of a shard was reset since the last look,
 * the count is 0.
 */
int window_shards_seal(struct window_shards *shards, int64_t first_s,
                       size_t count, struct window_shards_sealed *sealed);

/* The ids of all shards in window i of those that were sealed; false if a shard
   has lost its count. Before the next call of another function. */
bool window_shards_sum(const struct window_shards *shards,
                       const struct window_shards_sealed *sealed, size_t i,
                       int64_t *sum);

/* Tells the shards that do not know it that these records, at least one, are in
   the stream. */
int window_shards_tell(struct window_shards *shards,
                       const struct window_record *records, size_t count);

/* The longest redis_follow_ms of all shards. */
int64_t window_shards_follow_ms(const struct window_shards *shards);

#endif
