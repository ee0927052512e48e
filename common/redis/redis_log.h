/*
 * Logs what a connection to Redis goes through: connected, lost, away,
 * unusable. A state that lasts is logged once a minute, and a connection that
 * comes and goes does not flood the log.
 */
#ifndef REDIS_LOG_H
#define REDIS_LOG_H

#include <stdbool.h>

#include "base/log_throttle.h"
#include "redis.h"

/* Zeroed: nothing is logged yet. */
struct redis_log {
    bool connected; /* at least once, and logged */
    struct log_throttle lost;
    struct log_throttle away;
    struct log_throttle unusable;
};

/* For redis_options.on_change; context is a struct redis_log. */
void redis_log_change(void *context, const struct redis_change *change);

#endif
