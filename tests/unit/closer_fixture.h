/*
 * For the tests of closing windows: a closer of one shard.
 */
#ifndef CLOSER_FIXTURE_H
#define CLOSER_FIXTURE_H

#include "store/window_closer.h"

/* options and redis are borrowed. NULL: no memory. */
static inline struct window_closer *
open_closer(const struct options *options, struct redis *redis,
            int64_t barrier_ms)
{
    struct window_closer_shard shard = {.options = options, .redis = redis};
    struct window_closer_settings settings = {.shards = &shard,
                                              .count = 1,
                                              .records = redis,
                                              .barrier_ms = barrier_ms};

    return window_closer_open(&settings);
}

#endif
