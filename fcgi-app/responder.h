/*
 * The event loop. It takes all requests that have arrived, has them answered as
 * one round (round.h), and begins again. While a round waits for Redis, only
 * Redis is waited for: the next requests gather in the listening socket's
 * backlog, or are taken by other responders of the pool. So batches grow with
 * the load and cost nothing if there is none. No timer ever fills a batch. To
 * read one's own kept connections meanwhile was measured and does not pay: see
 * docs/performance.md. There is one thread.
 */
#ifndef RESPONDER_H
#define RESPONDER_H

#include "base/notify.h"
#include "config/options.h"
#include "pool_stats.h"
#include "store/store.h"

struct responder;

/*
 * Prepares to serve the listening socket listen_fd (0, as web servers hand it
 * over). Blocks the signals TERM and USR1, which make it drain; the caller
 * handles all other signals. The arguments are borrowed for its life. NULL if
 * the system refuses (errno).
 */
struct responder *responder_open(const struct options *options, int listen_fd,
                                 struct store *store, struct pool_stats *stats);
void responder_close(struct responder *responder);

/*
 * Serves until TERM or USR1, and then answers the requests that are waiting,
 * for at most 2 s. The service manager is told that it serves, what Redis does,
 * and that it stops. 0, or -1 if the system refuses to go on (errno).
 */
int responder_run(struct responder *responder, struct notify *notify);

#endif
