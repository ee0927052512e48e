/*
 * Delivers callbacks: claims jobs, sends them with libcurl's multi interface
 * on the daemon's loop, settles them by what came back, and writes one line an
 * attempt to the callback log.
 */
#ifndef WORKER_H
#define WORKER_H

#include "config/options.h"
#include "net/event_loop.h"
#include "redis/redis.h"

struct worker;

/* What it needs is borrowed for its life. NULL (errno): the system refuses. */
struct worker *worker_open(const struct options *options,
                           struct event_loop *loop, struct redis *redis);
void worker_close(struct worker *worker);

/* Looks for jobs now: called when Redis is back. */
void worker_wake(struct worker *worker);

/* Opens the callback log anew. */
void worker_reopen(struct worker *worker);

/*
 * Claims no more, lets the attempts under way end, for at most
 * callbacks.timeout_ms, gives the rest back, and then calls done once.
 */
void worker_drain(struct worker *worker, void (*done)(void *context),
                  void *context);

#endif
