/*
 * One destination of callbacks: the jobs that wait for it here, how many may
 * be under way at once, and whether it is to be left alone for now. It knows
 * nothing of other destinations (fair_queue.h), of libcurl, or of Redis.
 * Pure: the time is passed in, monotonic.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "circuit_breaker.h"
#include "store/job.h"

enum {
    DESTINATION_START_LIMIT = 4, /* attempts at once, of one not yet known */
    /* Slots are shared out by cost: 1 for an attempt, 1 more for each ... */
    DESTINATION_COST_MS = 50, /* ... of these that it lately took, */
    DESTINATION_COST_MAX = 16,
};

/* What an attempt has shown of its destination. */
enum destination_result {
    DESTINATION_WELL,        /* it answers: a status below 500 but 429 */
    DESTINATION_STRAINED,    /* it answers that it wants less: 429 */
    DESTINATION_FAILED,      /* a 5xx, no answer in time, no connection */
    DESTINATION_NO_EVIDENCE, /* nothing: it was not sent, or broken off by us */
};

struct destination_news {
    enum destination_result result;
    int64_t retry_after_ms; /* it wants to be left alone so long; else <= 0 */
    bool comes_again;       /* the job, out of Redis, after a while */
};

/* An attempt under way. */
struct destination_ticket {
    struct destination *destination;
    int64_t started_ms; /* monotonic */
    bool probe;         /* of its breaker */
};

struct destination {
    /* These four belong to fair_queue.c. */
    TAILQ_ENTRY(destination) link;
    struct destination *next; /* in its bucket */
    int state;
    int credit; /* what it may start yet in this round; negative: debt */

    struct job *first; /* the jobs that wait, oldest lease first */
    struct job **last; /* where the next one's pointer goes */
    size_t waiting;    /* how many they are */
    size_t under_way;
    size_t limit;      /* on under_way */
    size_t most;       /* on limit */
    size_t used_up;    /* successes at the limit since it last moved */
    int64_t halved_ms; /* monotonic: when limit was last halved */
    int64_t held_ms;   /* monotonic: Retry-After holds it until then */
    int64_t took_us;   /* what attempts lately took, smoothed; 0: unknown */
    size_t outside;    /* its jobs that wait in Redis to come again: a guess,
                          as other reporters give back and claim, too */
    struct circuit_breaker breaker;
    char origin[]; /* see origin.h */
};

/* most is callbacks.per_host_concurrency. NULL: no memory. */
struct destination *destination_open(const char *origin, size_t most);

/* Frees the jobs that wait too. */
void destination_close(struct destination *destination);

/* Takes job over; the other way round, NULL where none waits. */
void destination_push(struct destination *destination, struct job *job);
struct job *destination_pop(struct destination *destination);

/* How long nothing may start, by its breaker or Retry-After; 0: it may. */
int64_t destination_blocked_ms(const struct destination *destination,
                               int64_t now_ms);

/* True where one more attempt may start. */
bool destination_is_free(const struct destination *destination, int64_t now_ms);

/* How long the jobs that wait here will take, if all goes well. */
int64_t destination_backlog_ms(const struct destination *destination);

/*
 * A job is given back: when it should come again, in milliseconds. That is as
 * soon as its destination can take it, and later for each that is outside, but
 * within round_ms from when it may be called. One does come again, to be added
 * or given back.
 */
int64_t destination_retry_ms(struct destination *destination, int64_t round_ms,
                             int64_t now_ms);
void destination_came_again(struct destination *destination);

/* An attempt starts, and ends. */
struct destination_ticket destination_start(struct destination *destination,
                                            int64_t now_ms);
void destination_end(const struct destination_ticket *ticket,
                     const struct destination_news *news, int64_t now_ms);

/* What an attempt costs of the slots that all share. */
int destination_cost(const struct destination *destination);

/* What a status (of HTTP; 0: no whole response) shows of its destination. */
enum destination_result destination_classify(long status);

#endif
