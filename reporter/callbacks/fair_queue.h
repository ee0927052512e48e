/*
 * Who is called next: shares the courier's slots out among destinations, so
 * that none has to wait for another that is slow, down, or flooded with jobs.
 *
 * - Deficit round robin (Shreedhar and Varghese, 1995) over the destinations
 *   that have a job here and may be called, by what their attempts lately cost
 *   in time. It is work-conserving: whoever has something to do gets a slot.
 * - A destination has no more jobs here than there is room left (Choudhury and
 *   Hahne, 1998, dynamic thresholds): there is always room for the others.
 * - A job waits here only while it may start soon. The rest is handed back, to
 *   wait in Redis, and no attempt is used up.
 *
 * No clock, no libcurl, no Redis in here; times are monotonic.
 */
#ifndef FAIR_QUEUE_H
#define FAIR_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "destination.h"
#include "store/job.h"

struct fair_queue;

enum {
    FAIR_QUEUE_IDLE_MAX = 4096,  /* known without a job; then the one that
                                      was idle for longest is forgotten */
    FAIR_QUEUE_MARGIN_MS = 1000, /* of lease, beyond an attempt's limit,
                                      that a job has when it starts */
    FAIR_QUEUE_RETRY_MS = 1000,  /* for a job that there is no memory for */
    FAIR_QUEUE_CAPACITY_MIN = 512,
};

/*
 * Has room for twice callbacks.concurrency jobs. seed is a random number, so
 * that no one can choose hosts that collide. options is borrowed for its life.
 * NULL: no memory.
 */
struct fair_queue *fair_queue_open(const struct options *options,
                                   uint64_t seed);

/* Frees the jobs that wait; none may be under way. */
void fair_queue_close(struct fair_queue *queue);

/* How many more jobs may wait here, besides those who come with a first one;
   and how many do. */
size_t fair_queue_room(const struct fair_queue *queue);
size_t fair_queue_waiting(const struct fair_queue *queue);

/*
 * Takes job over, which has a url and comes with a lease no earlier than those
 * before it, and returns 0. Or refuses it, as its destination can't take it
 * soon: returns after how many milliseconds it should be up again.
 */
int64_t fair_queue_add(struct fair_queue *queue, struct job *job,
                       int64_t now_ms);

/*
 * The job to start now, handed over, with at least callbacks.timeout_ms and
 * FAIR_QUEUE_MARGIN_MS of its lease left; NULL: none may. ticket is for
 * fair_queue_end, which must follow.
 */
struct job *fair_queue_next(struct fair_queue *queue,
                            struct destination_ticket *ticket, int64_t now_ms);
void fair_queue_end(struct fair_queue *queue,
                    const struct destination_ticket *ticket,
                    const struct destination_news *news, int64_t now_ms);

/*
 * A job that can't start soon after all, handed over, to be up again after
 * *retry_ms, without an attempt used; NULL: there is none. To be called until
 * then after each round of ends, and at least once a second.
 */
struct job *fair_queue_return_expired(struct fair_queue *queue,
                                      int64_t *retry_ms, int64_t now_ms);

/* Any job that waits, handed over: for the end. NULL: none does. */
struct job *fair_queue_drain(struct fair_queue *queue);

/* How a destination is, to be shown. */
struct destination_status {
    const char *origin;
    size_t waiting;   /* jobs here */
    size_t under_way; /* attempts */
    size_t limit;     /* on them */
    enum circuit_breaker_state breaker;
    int64_t blocked_ms; /* yet, by its breaker or Retry-After; 0: not */
    int64_t took_ms;    /* what attempts lately took, smoothed */
};

typedef void fair_queue_visit(void *context,
                              const struct destination_status *status);

/* Calls visit for each destination that is known: those with jobs first. */
void fair_queue_each(const struct fair_queue *queue, fair_queue_visit *visit,
                     void *context, int64_t now_ms);

#endif
