/*
 * The event loop. It takes all requests that have arrived, has them answered as
 * one batch (batch.h), and begins again. While a batch waits for Redis, the
 * next one gathers in the listening socket's backlog. So batches grow with the
 * load and cost nothing if there is none. No timer ever fills a batch. There is
 * one thread.
 */
#ifndef RESPONDER_H
#define RESPONDER_H

#include "base/notify.h"
#include "config/options.h"
#include "redis/redis.h"
#include "store/counter.h"

struct responder;

/*
 * Prepares to serve the listening socket listen_fd (0, as web servers hand it
 * over). Blocks the signals TERM and USR1, which make it drain; the caller
 * handles all other signals. The arguments are borrowed for its life. NULL if
 * the system refuses (errno).
 */
struct responder *responder_open(const struct options *options, int listen_fd,
                                 struct redis *redis, struct counter *counter);
void responder_close(struct responder *responder);

/*
 * Serves until TERM or USR1, and then answers the requests that are waiting,
 * for at most 2 s. The service manager is told that it serves, what Redis does,
 * and that it stops. 0, or -1 if the system refuses to go on (errno).
 */
int responder_run(struct responder *responder, struct notify *notify);

#endif
