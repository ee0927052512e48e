/*
 * How duplicate ids are recognized (dedup.strategy). Each strategy is one row:
 * its script, and the keys and arguments that its script has in addition to
 * those of accept.lua.
 */
#ifndef DEDUP_STRATEGY_H
#define DEDUP_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "counter.h"
#include "redis/redis.h"

/* A batch that is about to be counted. */
struct dedup_batch {
    const struct options *options;
    int64_t window_s; /* the window that is believed to be on */
    int64_t sets;     /* the window's number of sets; 0: not known */
    const struct counter_request *requests;
    size_t count;
    bool jobs; /* a request has an endpoint */
};

struct dedup_strategy {
    const struct redis_script *script;
    const struct redis_script
        *told; /* for shards after the first: accept.lua */
    void (*add_keys)(struct command *call, const struct dedup_batch *batch);
    void (*add_args)(struct command *call, const struct dedup_batch *batch);
};

/* The row of an enum dedup_kind; static. */
const struct dedup_strategy *dedup_strategy_row(int strategy);

/*
 * The set (0 to sets - 1) that holds an id if the strategy is `set`. All
 * programs on one Redis must agree on it. Ids are mixed first, so that regular
 * ids spread as evenly as random ones.
 */
int64_t dedup_strategy_set(int64_t id, int64_t sets);

#endif
