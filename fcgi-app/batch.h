/*
 * Group commit: requests that are there at the same time are answered together.
 * All ids that have to be counted share one round trip to Redis.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "config/options.h"
#include "fcgi_conn.h"
#include "pool_stats.h"
#include "redis/redis.h"
#include "store/counter.h"

struct batch;

/* The arguments are borrowed for its life. NULL: no memory. */
struct batch *batch_open(const struct options *options, struct redis *redis,
                         struct counter *counter, struct pool_stats *stats);
void batch_close(struct batch *batch);

/* The last call before the end: see counter_sign_off. */
void batch_sign_off(struct batch *batch);

/*
 * Starts to answer exchanges[0..count), none to options->accept.max_batch of
 * them, borrowed until the batch is over.
 *
 * True while the round trip to Redis is under way: call redis_await, then
 * batch_step. False once all are answered. Blocks for a probe of Redis
 * (/readyz) and as counter_start does.
 */
bool batch_start(struct batch *batch, struct fcgi_exchange *exchanges,
                 size_t count);
bool batch_step(struct batch *batch);

#endif
