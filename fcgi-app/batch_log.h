/*
 * What a batch tells the log: reasons why requests get 503, and losses. A
 * reason is a line at its beginning, once a minute while it lasts, and at its
 * end with the number of these answers: never a line for each request. If there
 * are several shards, each has lines of its own, which name it.
 */
#ifndef BATCH_LOG_H
#define BATCH_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/log_throttle.h"
#include "config/options.h"
#include "redis/redis.h"
#include "store/counter.h"
#include "store/error_code.h"

/* A reason. Zeroed: all is well. */
struct batch_log_trouble {
    struct log_throttle throttle;
    int64_t refused; /* answers 503 since it began */
};

struct batch_log {
    const struct options *options; /* of the shard; all three are borrowed */
    const struct redis *redis;
    const struct counter *counter;
    struct batch_log_trouble refused; /* ids are not counted */
    struct batch_log_trouble full;    /* there is no room for callbacks */
    struct batch_log_trouble unready; /* the probe fails */
};

/* How many requests of a batch got which answer. */
struct batch_answers {
    size_t counted;
    size_t jobs; /* of these, with a callback */
    size_t full;
    size_t unavailable;
};

void batch_log_answers(struct batch_log *log,
                       const struct batch_answers *answers);

/* count requests got 503 without a try, for this reason of ours. */
void batch_log_refused(struct batch_log *log, size_t count, const char *reason);

/* count requests for /readyz got this error, or none. */
void batch_log_probe(struct batch_log *log, enum error_code error,
                     size_t count);

/* Redis lost data that was confirmed to clients. */
void batch_log_loss(const struct batch_log *log, const struct marks_loss *loss);

#endif
