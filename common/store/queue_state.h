/*
 * How many callbacks are in Redis, and how long the oldest has waited.
 */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

struct queue_state {
    int64_t waiting;   /* jobs that wait to be claimed */
    int64_t due;       /* jobs that are claimed, or wait for their next try */
    int64_t dead;      /* in the dead list */
    int64_t oldest_ms; /* age of the oldest that waits for its first attempt; 0:
                          none does. With over 2,000 destinations: of those
                          whose turn began first */
};

/* 0, or -1 if Redis is away or refuses (redis_error). Blocks for at most 2 x
   redis.timeout_ms. Takes Redis some microseconds for each destination. */
int queue_state_read(const struct options *options, struct redis *redis,
                     struct queue_state *state);

#endif
