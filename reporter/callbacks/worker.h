/*
 * The worker delivers callbacks: it claims jobs in Redis, adds them to the fair
 * queue, out of which the dispatcher sends them, and settles them in Redis by
 * the verdicts.
 */
#ifndef WORKER_H
#define WORKER_H

#include "config/options.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "redis/redis.h"

struct json_t;
struct worker;

/* All are borrowed. NULL: the system refuses (errno). */
struct worker *worker_open(const struct options *options,
                           struct event_loop *loop, struct redis *redis,
                           struct metrics *metrics);

/* Jobs that are not settled are dropped: their leases run out. */
void worker_close(struct worker *worker);

/* Looks for jobs now. To be called if Redis is connected again. */
void worker_wake(struct worker *worker);

/* Reopens the callback log, after a rotation, and reads callbacks.block again.
 */
void worker_reopen(struct worker *worker);

/* Adds its numbers to a JSON object (jansson): see stats_summary. */
void worker_describe(const struct worker *worker, struct json_t *object);

/*
 * Claims no more jobs, lets the attempts under way end, for at most
 * callbacks.timeout_ms, returns the other jobs, and then calls done once.
 */
void worker_drain(struct worker *worker, void (*done)(void *context),
                  void *context);

#endif
