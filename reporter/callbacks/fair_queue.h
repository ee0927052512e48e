/*
 * The order in which claimed jobs are started: a fair queue that shares the
 * slots of this reporter among destinations, so that no destination waits for
 * another one that is slow, down, or flooded with jobs.
 *
 * - Deficit round robin (Shreedhar and Varghese, 1995) over the destinations
 *   that have a job here and may be called. The cost of an attempt is its
 *   recent duration. No slot stays free while any job may start.
 * - A destination may have only as many jobs here as there is room left
 *   (Choudhury and Hahne, 1998, dynamic thresholds), so that there is always
 *   room for others.
 * - A job waits here only if it may start soon. If not, it is returned to
 *   Redis, without an attempt used.
 *
 * No clock, no libcurl, no Redis: the caller passes the time, monotonic.
 */
#ifndef FAIR_QUEUE_H
#define FAIR_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "destination.h"
#include "retry_policy.h"
#include "store/job.h"

struct fair_queue;

enum {
    FAIR_QUEUE_IDLE_MAX = 4096,  /* destinations without a job; if there are
                                    more, the one idle for longest goes */
    FAIR_QUEUE_MARGIN_MS = 1000, /* a job may start if its lease lasts for an
                                    attempt's time limit and this */
    FAIR_QUEUE_RETRY_MS = 1000, /* without memory, a job is returned for this */
    FAIR_QUEUE_CAPACITY_MIN = 512,
};

/*
 * Has room for twice callbacks.concurrency jobs. seed is a random number, so
 * that clients cannot choose hosts that collide in the hash table. options is
 * borrowed. NULL: no memory.
 */
struct fair_queue *fair_queue_open(const struct options *options,
                                   uint64_t seed);

/* Frees the waiting jobs. Tickets of attempts become invalid. */
void fair_queue_close(struct fair_queue *queue);

/* How many more jobs may wait here. Beyond that a few places are kept for
   destinations without a job. */
size_t fair_queue_room(const struct fair_queue *queue);

/* How many jobs wait here, and how many were started and not ended. */
size_t fair_queue_waiting(const struct fair_queue *queue);
size_t fair_queue_under_way(const struct fair_queue *queue);

/*
 * Takes over a job with a url, whose lease ends no earlier than those of the
 * jobs before it, and returns 0. If its destination cannot take it soon, does
 * not take it over, and returns after how many milliseconds it should be
 * claimed again.
 */
int64_t fair_queue_add(struct fair_queue *queue, struct job *job,
                       int64_t now_ms);

/*
 * The job to start now, handed over; at least callbacks.timeout_ms and
 * FAIR_QUEUE_MARGIN_MS of its lease are left. NULL: no job may start. The
 * caller passes ticket to fair_queue_end later.
 */
struct job *fair_queue_next(struct fair_queue *queue,
                            struct destination_ticket *ticket, int64_t now_ms);
void fair_queue_end(struct fair_queue *queue,
                    const struct destination_ticket *ticket,
                    const struct retry_verdict *verdict, int64_t now_ms);

/*
 * A job that cannot start soon after all, handed over, to be claimed again
 * after *retry_ms, without an attempt used. NULL: there is no such job. To be
 * called until it is NULL after attempts have ended, and once a second.
 */
struct job *fair_queue_return_expired(struct fair_queue *queue,
                                      int64_t *retry_ms, int64_t now_ms);

/* Any waiting job, handed over, for a shutdown. NULL: none waits. */
struct job *fair_queue_drain(struct fair_queue *queue);

/* The state of a destination, to be published. */
struct destination_status {
    const char *origin;
    size_t waiting;   /* jobs here */
    size_t under_way; /* attempts */
    size_t limit;     /* on under_way */
    enum circuit_breaker_state breaker;
    int64_t blocked_ms; /* by its breaker or Retry-After; 0 or less: not */
    int64_t took_ms;    /* recent duration of attempts, smoothed */
};

typedef void fair_queue_visit(void *context,
                              const struct destination_status *status);

/* Calls visit for each known destination; those with jobs come first. */
void fair_queue_each(const struct fair_queue *queue, fair_queue_visit *visit,
                     void *context, int64_t now_ms);

#endif
