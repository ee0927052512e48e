/*
 * Group commit: requests that are there at the same time are answered as one
 * batch. All ids of the batch are counted in one round trip to Redis.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>

#include "config/options.h"
#include "redis/redis.h"
#include "store/counter.h"

struct batch;

/*
 * The arguments are borrowed for its life. Initializes libfcgi; block TERM and
 * USR1 before, because libfcgi installs handlers for both. NULL: no memory.
 */
struct batch *batch_open(const struct options *options, struct redis *redis,
                         struct counter *counter);
void batch_close(struct batch *batch);

/*
 * Answers and closes fds[0..count), at most options->accept.max_batch. They are
 * blocking connections that have sent a whole request. Blocks for as long as
 * counter_commit does, and twice as long if /readyz is among the requests.
 */
void batch_serve(struct batch *batch, const int *fds, size_t count);

#endif
