/*
 * The pulse of a shard (lua/pulse.lua): which window is on, and how many ids it
 * has counted. A responder takes it of each shard if there are several.
 */
#ifndef PULSE_H
#define PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

struct pulse {
    int64_t window_s; /* the window that is on, by this shard's Redis */
    int64_t left_ms;  /* until it ends */
    int64_t count;    /* of the window that was asked for */
};

/* Starts the call of the script: redis_send follows. */
void pulse_call(const struct options *options, struct redis *redis,
                int64_t window_s);

/* Reads the script's reply; false if it is none. */
bool pulse_read(const struct redis_reply *reply, struct pulse *pulse);

#endif
