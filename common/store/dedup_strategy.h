/*
 * How ids are told apart (dedup.strategy): a row for each way, with its script
 * and the keys and arguments that this has besides those of accept.lua.
 */
#ifndef DEDUP_STRATEGY_H
#define DEDUP_STRATEGY_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "counter.h"
#include "redis/redis.h"

/* What is about to be counted. */
struct dedup_batch {
    const struct options *options;
    int64_t window_s; /* believed to be on */
    int64_t sets;     /* that it is believed to have; 0: not known */
    const struct counter_request *requests;
    size_t count;
};

struct dedup_strategy {
    const struct redis_script *script;
    void (*add_keys)(struct command *call, const struct dedup_batch *batch);
    void (*add_args)(struct command *call, const struct dedup_batch *batch);
};

/* The row of an enum dedup_strategy; static. */
const struct dedup_strategy *dedup_strategy_row(int strategy);

#endif
