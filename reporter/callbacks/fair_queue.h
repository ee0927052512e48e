/*
 * The order in which claimed jobs are started: a fair queue that shares the
 * slots of this reporter among destinations, so that no destination waits for
 * another one that is slow, down, or flooded with jobs.
 *
 * - Deficit round robin (Shreedhar and Varghese, 1995) over the destinations
 *   that have a job here and may be called. The cost of an attempt is its
 *   recent duration. No slot stays free while any job may start.
 * - Destinations that are not proven (see destination.h), the strangers, have
 * at most half of the slots, and an address of theirs has ADDRESS_LOAD_MAX. So
 *   hosts that never answer, however many, leave room for others.
 * - Jobs are claimed only for destinations that can start them soon. All other
 *   jobs stay in Redis, in a list for each destination. fair_queue_room_of and
 *   fair_queue_hungry say how many jobs of which destination to claim.
 * - Paths that fail are left alone (see paths.h), and the other paths of their
 *   destination go on.
 * - If a job cannot start soon after all, it is returned to Redis, without an
 *   attempt used.
 *
 * No clock, no libcurl, no Redis: the caller passes the time, monotonic.
 */
#ifndef FAIR_QUEUE_H
#define FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "destination.h"
#include "retry_policy.h"
#include "store/job.h"

struct fair_queue;

enum {
    FAIR_QUEUE_MARGIN_MS = 1000, /* a job may start if its lease lasts for an
                                    attempt's time limit and this */
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

/* How many more jobs may wait here. */
size_t fair_queue_room(const struct fair_queue *queue);

/* How many jobs of strangers may be claimed now. */
size_t fair_queue_room_for_strangers(const struct fair_queue *queue);

/*
 * How many jobs of a destination to claim now. If it is 0, *wait_ms is after
 * how long there may be room; else 0. The destination may be unknown. proven is
 * what Redis knows of it. *stranger: it counts as one here.
 */
size_t fair_queue_room_of(struct fair_queue *queue, const char *origin,
                          bool proven, bool *stranger, int64_t *wait_ms,
                          int64_t now_ms);

/*
 * A destination that Redis has to learn of: for how long its place among the
 * proven ones is kept, 0 if it is not proven any more. A destination that has
 * just been proven has its place for a minute, later for two hours: so many
 * that answer once take no places for long. NULL: there is no news. Borrowed as
 * by fair_queue_hungry.
 */
const char *fair_queue_news(struct fair_queue *queue, int64_t *kept_ms,
                            int64_t now_ms);

/* How many slots there are, if fewer than callbacks.concurrency. */
void fair_queue_set_slots(struct fair_queue *queue, size_t slots);

/*
 * To be asked before a connect, with the addresses of the job's host, as
 * dns_cache_lookup writes them. False if the attempt must not begin: the
 * destination is not proven, and too many attempts at such destinations are
 * under way to one of the addresses.
 */
bool fair_queue_permits(struct fair_queue *queue,
                        const struct destination_ticket *ticket,
                        const char *addresses, int64_t now_ms);

/*
 * A destination with jobs in Redis and room for *room of them; NULL: there is
 * none, or each was returned since fair_queue_note_left. Borrowed: valid until
 * a job is added or ends.
 */
const char *fair_queue_hungry(struct fair_queue *queue, size_t *room,
                              int64_t now_ms);

/* Notes how many jobs a claim left in Redis; SIZE_MAX: it is not known. */
void fair_queue_note_left(struct fair_queue *queue, const char *origin,
                          size_t left);

/* How many jobs wait here, and how many were started and not ended. */
size_t fair_queue_waiting(const struct fair_queue *queue);
size_t fair_queue_under_way(const struct fair_queue *queue);

/* True if all slots are taken. */
bool fair_queue_is_full(const struct fair_queue *queue);

/*
 * Notes that a job will be added soon, once its host is looked up, so that no
 * others are claimed in its place; and that it will not, or is about to be.
 */
void fair_queue_expect(struct fair_queue *queue, const struct job *job);
void fair_queue_unexpect(struct fair_queue *queue, const struct job *job);

/*
 * Takes over a job with a url, whose lease ends no earlier than those of the
 * jobs before it. 0, or -1 without memory: then it does not take it over.
 */
int fair_queue_add(struct fair_queue *queue, struct job *job, int64_t now_ms);

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
    bool proven;
    enum circuit_breaker_state breaker;
    int failed;         /* attempts in a row */
    int64_t blocked_ms; /* by its breaker or Retry-After; 0 or less: not */
    int64_t took_ms;    /* recent duration of attempts, smoothed */
};

typedef void fair_queue_visit(void *context,
                              const struct destination_status *status);

/* Calls visit for each known destination; those with jobs come first. */
void fair_queue_each(const struct fair_queue *queue, fair_queue_visit *visit,
                     void *context, int64_t now_ms);

/* paths_count_open of the paths of its jobs. */
size_t fair_queue_failing_paths(const struct fair_queue *queue, int64_t now_ms);

#endif
