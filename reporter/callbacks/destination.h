/*
 * One destination of callbacks: the jobs that wait for it here, the limit on
 * its attempts under way, and whether it is blocked by its circuit breaker or
 * by Retry-After. A destination is an origin (see store/origin.h).
 *
 * Any HTTP response proves a destination; three failures of connect, TLS or
 * time in a row lose the proof. While it is not proven, it has one attempt
 * under way. It knows nothing of other destinations (see fair_queue.h), libcurl
 * or Redis. Pure: the caller passes the time, monotonic.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "address_load.h"
#include "circuit_breaker.h"
#include "store/job.h"

struct retry_verdict;

enum {
    DESTINATION_START_LIMIT = 4, /* on attempts under way, once it is proven */
    /* If a path has answered within this, a status of another one, or no
       response in time, is no evidence against the destination. */
    DESTINATION_ANSWERED_MS = 30000,
    /* Else its Retry-After holds the destination for at most this. */
    DESTINATION_HOLD_MAX_MS = 30000,
    DESTINATION_PROBES = 8, /* jobs to choose a probe of the breaker from */
    DESTINATION_LOST = 3,   /* failures in a row that lose the proof */
    DESTINATION_CROWDED_MS = 1000, /* if its address has too many attempts */
    /* The cost of an attempt: 1, and 1 more for each 50 ms of its duration. */
    DESTINATION_COST_MS = 50,
    DESTINATION_COST_MAX = 16,
    DESTINATION_AHEAD_MS = 50,
    DESTINATION_WAIT_MAX_MS = 5000,
};

/* An attempt under way. */
struct destination_ticket {
    struct destination *destination;
    int64_t started_ms; /* monotonic */
    bool probe;         /* of the circuit breaker */
    uint64_t path_key;  /* for fair_queue.c: of the job's path, ... */
    bool path_probe;    /* ... and whether it is the probe of that */
};

struct destination {
    /* The first twelve are for destinations.c and fair_queue.c alone. */
    TAILQ_ENTRY(destination) link;   /* in the list of its state */
    TAILQ_ENTRY(destination) hungry; /* in the list of those with more */
    struct destination *next;        /* in its hash bucket */
    int state;
    bool more;     /* it has jobs in Redis, as of the last claim */
    size_t coming; /* claimed jobs whose host is being looked up */
    size_t left;   /* jobs in Redis, as of the last claim */
    TAILQ_ENTRY(destination) news; /* in the list of those to be noted */
    bool is_news;                  /* Redis has to learn whether it is proven */
    int64_t noted_ms;              /* monotonic: when it was news last */
    struct address_set addresses;  /* of its last attempt while not proven */
    bool counted;                  /* an attempt is counted for them */
    int credit; /* cost that may start in this round; negative: debt */

    struct job *first;        /* waiting jobs, the earliest lease first */
    struct job **last;        /* points to the NULL at the end of that list */
    size_t waiting;           /* jobs in that list */
    size_t under_way;         /* attempts */
    size_t limit;             /* on under_way, while it is proven; else 1 */
    bool proven;              /* it has answered, and was not lost since */
    int64_t proven_ms;        /* monotonic: since when it is proven here */
    int lost;                 /* attempts in a row that did not reach it */
    int64_t crowded_until_ms; /* monotonic: its address has no room so long */
    size_t max_limit;         /* on limit: callbacks.per_host_concurrency */
    size_t successes;         /* since limit last moved, while it was needed */
    int64_t halved_ms;     /* monotonic: when limit was last halved; 0: never */
    int64_t hold_until_ms; /* monotonic: the end of Retry-After */
    int64_t answered_ms;   /* monotonic: the last success; 0: none */
    int64_t duration_us;   /* of its attempts, smoothed; 0: unknown */
    struct circuit_breaker breaker;
    char origin[]; /* see origin_read */
};

/* max_limit is callbacks.per_host_concurrency. NULL: no memory. */
struct destination *destination_open(const char *origin, size_t max_limit);

/* Frees the waiting jobs too. */
void destination_close(struct destination *destination);

/* Takes job over. */
void destination_push(struct destination *destination, struct job *job);

/* The waiting job with the earliest lease, handed over. NULL: none waits. */
struct job *destination_pop(struct destination *destination);

/* Takes out a waiting job. */
void destination_remove(struct destination *destination, struct job *job);

/* How long its breaker, Retry-After or the attempts at its address block it; 0
   or less: not blocked. */
int64_t destination_blocked_ms(const struct destination *destination,
                               int64_t now_ms);

/* True if one more attempt may start. */
bool destination_may_start(const struct destination *destination,
                           int64_t now_ms);

/*
 * How many more jobs may wait for it here: as many as may start within about
 * DESTINATION_AHEAD_MS. 0 if it is blocked.
 */
size_t destination_room(const struct destination *destination, int64_t now_ms);

/* If it has no room: after how many milliseconds it may have room again, at
   most DESTINATION_WAIT_MAX_MS. */
int64_t destination_room_in_ms(const struct destination *destination,
                               int64_t now_ms);

/* Notes that an attempt starts. */
struct destination_ticket destination_start(struct destination *destination,
                                            int64_t now_ms);

/* Notes that it ended, and adapts limit, breaker, hold and proof to the
   verdict. */
void destination_end(const struct destination_ticket *ticket,
                     const struct retry_verdict *verdict, int64_t now_ms);

/* Notes that it is proven, if it was not. */
void destination_prove(struct destination *destination, int64_t now_ms);

/* For how long Redis is to keep its place among the proven ones: 0 if it is not
   proven, short until the proof has stood for a while. */
int64_t destination_kept_ms(const struct destination *destination,
                            int64_t now_ms);

/* True if what Redis learnt of the proof (noted_ms) should be renewed. */
bool destination_is_note_old(const struct destination *destination,
                             int64_t now_ms);

/* The cost of one attempt, 1 to DESTINATION_COST_MAX: see fair_queue.h. */
int destination_cost(const struct destination *destination);

#endif
