/*
 * Group commit: requests that are there at the same time are answered
 * together, all that have to be counted after one round trip to Redis.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>

#include "option.h"
#include "redis.h"
#include "tally.h"

struct batch;

/* What it is given is borrowed for its life. NULL: no memory. */
struct batch *batch_open(const struct options *options, struct redis *redis,
                         struct tally *tally);
void batch_close(struct batch *batch);

/*
 * Answers fds[0..count), blocking connections that have sent a whole request,
 * and closes them; at most options->accept.max_batch. Blocks for as long as
 * tally_commit does.
 */
void batch_serve(struct batch *batch, const int *fds, size_t count);

#endif
