/*
 * The accept loop, by group commit: take every request that is there, make one
 * round trip to Redis for all of them, answer them all. While it waits for
 * Redis the next batch gathers in the listener's backlog, so that the batch
 * grows with the load and costs nothing when idle. One thread; never a timer
 * to fill a batch. The only user of libfcgi.
 */
#ifndef RESPONDER_H
#define RESPONDER_H

#include "config/options.h"
#include "redis/redis.h"
#include "store/counter.h"

struct responder;

/*
 * Serves the listening socket listen_fd (0, as web servers hand it over).
 * TERM and USR1, which it blocks, make it drain; other signals must have been
 * dealt with before. What it is given is borrowed for its life. NULL where the
 * system refuses (errno).
 */
struct responder *responder_open(const struct options *options, int listen_fd,
                                 struct redis *redis, struct counter *counter);
void responder_close(struct responder *responder);

/*
 * Serves until TERM or USR1, then answers what is still waiting, for at most
 * 2 s. Returns 0, or -1 where the system refuses to go on (errno).
 */
int responder_run(struct responder *responder);

#endif
