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
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "destination.h"
#include "job.h"
#include "option.h"

struct destinations;

enum {
    DESTINATIONS_IDLE_MAX = 4096,  /* known without a job; then the one that
                                      was idle for longest is forgotten */
    DESTINATIONS_MARGIN_MS = 1000, /* of lease, beyond an attempt's limit,
                                      that a job has when it starts */
    DESTINATIONS_RETRY_MS = 1000,  /* for a job that there is no memory for */
    DESTINATIONS_CAPACITY_MIN = 512,
};

/*
 * Has room for twice callbacks.concurrency jobs. seed is a random number, so
 * that no one can choose hosts that collide. options is borrowed for its life.
 * NULL: no memory.
 */
struct destinations *destinations_open(const struct options *options,
                                       uint64_t seed);

/* Frees the jobs that wait; none may be under way. */
void destinations_close(struct destinations *destinations);

/* How many more jobs may wait here, besides those who come with a first one;
   and how many do. */
size_t destinations_room(const struct destinations *destinations);
size_t destinations_waiting(const struct destinations *destinations);

/*
 * Takes job over, which has a url and comes with a lease no earlier than those
 * before it, and returns 0. Or refuses it, as its destination can't take it
 * soon: returns after how many milliseconds it should be up again.
 */
int64_t destinations_add(struct destinations *destinations, struct job *job,
                         int64_t now_ms);

/*
 * The job to start now, handed over, with at least callbacks.timeout_ms and
 * DESTINATIONS_MARGIN_MS of its lease left; NULL: none may. ticket is for
 * destinations_end, which must follow.
 */
struct job *destinations_next(struct destinations *destinations,
                              struct destination_ticket *ticket,
                              int64_t now_ms);
void destinations_end(struct destinations *destinations,
                      const struct destination_ticket *ticket,
                      const struct destination_news *news, int64_t now_ms);

/*
 * A job that can't start soon after all, handed over, to be up again after
 * *retry_ms, without an attempt used; NULL: there is none. To be called until
 * then after each round of ends, and at least once a second.
 */
struct job *destinations_shed(struct destinations *destinations,
                              int64_t *retry_ms, int64_t now_ms);

/* Any job that waits, handed over: for the end. NULL: none does. */
struct job *destinations_take(struct destinations *destinations);

/* How a destination is, to be shown. */
struct destination_status {
    const char *origin;
    size_t waiting;   /* jobs here */
    size_t under_way; /* attempts */
    size_t limit;     /* on them */
    enum breaker_state breaker;
    int64_t blocked_ms; /* yet, by its breaker or Retry-After; 0: not */
    int64_t took_ms;    /* what attempts lately took, smoothed */
};

typedef void destinations_visit(void *context,
                                const struct destination_status *status);

/* Calls visit for each destination that is known: those with jobs first. */
void destinations_each(const struct destinations *destinations,
                       destinations_visit *visit, void *context,
                       int64_t now_ms);

#endif
