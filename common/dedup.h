/*
 * How ids are told apart (dedup.strategy): a row for each way, with its script
 * and the keys and arguments that this has besides those of accept.lua.
 */
#ifndef DEDUP_H
#define DEDUP_H

#include <stddef.h>
#include <stdint.h>

#include "option.h"
#include "redis.h"
#include "tally.h"

/* What is about to be counted. */
struct dedup_batch {
    const struct options *options;
    int64_t window_s; /* believed to be on */
    int64_t sets;     /* that it is believed to have; 0: not known */
    const struct tally_request *requests;
    size_t count;
};

struct dedup {
    const struct redis_script *script;
    void (*add_keys)(struct redis_call *call, const struct dedup_batch *batch);
    void (*add_args)(struct redis_call *call, const struct dedup_batch *batch);
};

/* The row of an enum dedup_strategy; static. */
const struct dedup *dedup_row(int strategy);

#endif
