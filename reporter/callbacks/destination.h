/*
 * One destination of callbacks: the jobs that wait for it here, the limit on
 * its attempts under way, and whether it is blocked by its circuit breaker or
 * by Retry-After. A destination is an origin (RFC 6454, 4): scheme, host and
 * port. It knows nothing of other destinations (see fair_queue.h), libcurl or
 * Redis. Pure: the caller passes the time, monotonic.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "circuit_breaker.h"
#include "store/endpoint_url.h"
#include "store/job.h"

struct retry_verdict;

enum {
    /* Size of a buffer for the longest origin, with its NUL. */
    DESTINATION_ORIGIN_SIZE = ENDPOINT_URL_MAX_BYTES + sizeof(":65535"),
    DESTINATION_START_LIMIT = 4, /* on attempts under way, at first */
    /* The cost of an attempt: 1, and 1 more for each 50 ms of its duration. */
    DESTINATION_COST_MS = 50,
    DESTINATION_COST_MAX = 16,
};

/* An attempt under way. */
struct destination_ticket {
    struct destination *destination;
    int64_t started_ms; /* monotonic */
    bool probe;         /* of the circuit breaker */
};

struct destination {
    /* The first four are for fair_queue.c alone. */
    TAILQ_ENTRY(destination) link; /* in the list of its state */
    struct destination *next;      /* in its hash bucket */
    int state;
    int credit; /* cost that may start in this round; negative: debt */

    struct job *first;     /* waiting jobs, the earliest lease first */
    struct job **last;     /* points to the NULL at the end of that list */
    size_t waiting;        /* jobs in that list */
    size_t under_way;      /* attempts */
    size_t limit;          /* on under_way */
    size_t max_limit;      /* on limit: callbacks.per_host_concurrency */
    size_t successes;      /* since limit last moved, while it was needed */
    int64_t halved_ms;     /* monotonic: when limit was last halved; 0: never */
    int64_t hold_until_ms; /* monotonic: the end of Retry-After */
    int64_t duration_us;   /* of its attempts, smoothed; 0: unknown */
    size_t in_redis;       /* its jobs that were returned to Redis: an estimate,
                              as other reporters claim and return jobs too */
    struct circuit_breaker breaker;
    char origin[]; /* see destination_read_origin */
};

/*
 * Writes url's origin in lower case, always with a port: "https://host:443". A
 * url that endpoint_url_check refuses gives some text too: the same text for
 * the same scheme, host and port, cut if it is too long. For telling
 * destinations apart, not for safety: address_policy.h decides which addresses
 * may be called.
 */
void destination_read_origin(const char *url,
                             char origin[DESTINATION_ORIGIN_SIZE]);

/* max_limit is callbacks.per_host_concurrency. NULL: no memory. */
struct destination *destination_open(const char *origin, size_t max_limit);

/* Frees the waiting jobs too. */
void destination_close(struct destination *destination);

/* Takes job over. */
void destination_push(struct destination *destination, struct job *job);

/* The waiting job with the earliest lease, handed over. NULL: none waits. */
struct job *destination_pop(struct destination *destination);

/* How long its breaker or Retry-After blocks it; 0 or less: not blocked. */
int64_t destination_blocked_ms(const struct destination *destination,
                               int64_t now_ms);

/* True if one more attempt may start. */
bool destination_may_start(const struct destination *destination,
                           int64_t now_ms);

/* How long its waiting jobs will take, if all of them succeed. */
int64_t destination_backlog_ms(const struct destination *destination);

/*
 * Notes that a job is returned to Redis. Returns after how many milliseconds
 * the job should be claimed again: when the destination can take it behind the
 * other jobs in Redis, but no later than round_ms after it may be called.
 */
int64_t destination_return_job(struct destination *destination,
                               int64_t round_ms, int64_t now_ms);

/* Notes that such a job was claimed again. */
void destination_reclaim_job(struct destination *destination);

/* Notes that an attempt starts. */
struct destination_ticket destination_start(struct destination *destination,
                                            int64_t now_ms);

/* Notes that it ended, and adapts limit, breaker and hold to the verdict. */
void destination_end(const struct destination_ticket *ticket,
                     const struct retry_verdict *verdict, int64_t now_ms);

/* The cost of one attempt, 1 to DESTINATION_COST_MAX: see fair_queue.h. */
int destination_cost(const struct destination *destination);

#endif
