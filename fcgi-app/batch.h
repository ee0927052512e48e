/*
 * Group commit: requests that are there at the same time are answered
 * together, all that have to be counted after one round trip to Redis.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>

#include "config/options.h"
#include "redis/redis.h"
#include "store/counter.h"

struct batch;

/* What it is given is borrowed for its life. NULL: no memory. */
struct batch *batch_open(const struct options *options, struct redis *redis,
                         struct counter *counter);
void batch_close(struct batch *batch);

/*
 * Answers fds[0..count), blocking connections that have sent a whole request,
 * and closes them; at most options->accept.max_batch. Blocks for as long as
 * counter_commit does.
 */
void batch_serve(struct batch *batch, const int *fds, size_t count);

#endif
