/*
 * destination: the limit moves as TCP's congestion window does, additive up,
 * halved down (Chiu and Jain, 1989), up only while it is what holds us back.
 */
#include "destination.h"

#include <stdlib.h>
#include <string.h>

#include "retry_after.h"

enum {
    SMOOTHING = 8, /* a new duration counts one in so many */

    PACE_MS = 250,            /* how long its pace is measured over */
    GAP_MIN_US = 20,          /* between two jobs that come back, ... */
    GAP_UNKNOWN_US = 50,      /* ... where its pace is not known, ... */
    GAP_BLOCKED_MIN_US = 500, /* ... and where it takes none now */
    GAP_BLOCKED_MAX_US = 30000,

    RETRY_MIN_MS = 20,
    BACKLOG_MAX_MS = 60000,
    HORIZON_MS = 300000, /* no job comes back later than this after the first */
};

static int64_t
clamp(int64_t value, int64_t least, int64_t most)
{
    if (value < least) {
        return least;
    }
    return value < most ? value : most;
}

struct destination *
destination_open(const char *origin, size_t most)
{
    size_t size = strlen(origin) + 1;
    struct destination *destination = calloc(1, sizeof(*destination) + size);

    if (destination == NULL) {
        return NULL;
    }
    destination->last = &destination->first;
    destination->most = most;
    destination->limit =
        most < DESTINATION_START_LIMIT ? most : DESTINATION_START_LIMIT;
    memcpy(destination->origin, origin, size);
    return destination;
}

void
destination_close(struct destination *destination)
{
    if (destination != NULL) {
        while (destination->first != NULL) {
            job_free(destination_pop(destination));
        }
        free(destination);
    }
}

void
destination_push(struct destination *destination, struct job *job)
{
    job->next = NULL;
    *destination->last = job;
    destination->last = &job->next;
    destination->waiting++;
}

struct job *
destination_pop(struct destination *destination)
{
    struct job *job = destination->first;

    if (job != NULL) {
        destination->first = job->next;
        if (destination->first == NULL) {
            destination->last = &destination->first;
        }
        job->next = NULL;
        destination->waiting--;
    }
    return job;
}

int64_t
destination_blocked_ms(const struct destination *destination, int64_t now_ms)
{
    int64_t held_ms = destination->held_ms - now_ms;
    int64_t open_ms = breaker_wait_ms(&destination->breaker, now_ms);

    return held_ms > open_ms ? held_ms : open_ms;
}

bool
destination_is_free(const struct destination *destination, int64_t now_ms)
{
    return destination->under_way < destination->limit &&
           now_ms >= destination->held_ms &&
           breaker_permits(&destination->breaker, now_ms);
}

int64_t
destination_backlog_ms(const struct destination *destination)
{
    return (int64_t)destination->waiting * destination->gap_us / 1000;
}

/* The time between two jobs that come back. */
static int64_t
gap_us(const struct destination *destination, bool blocked)
{
    int64_t gap = destination->gap_us;

    if (gap == 0) {
        gap = GAP_UNKNOWN_US;
    }
    /* A little sooner than at its pace: they had better wait here. */
    return blocked ? clamp(gap, GAP_BLOCKED_MIN_US, GAP_BLOCKED_MAX_US)
                   : gap - gap / 4;
}

/*
 * Each job books a moment, one behind the other, at the pace at which its
 * destination takes them: so it finds them there when it needs them, and a
 * flood for one destination that goes back and forth does not keep us from
 * finding the jobs of others. Beyond the horizon the booking starts anew.
 */
int64_t
destination_retry_ms(struct destination *destination, int64_t now_ms)
{
    int64_t blocked_ms = destination_blocked_ms(destination, now_ms);
    int64_t after_ms = blocked_ms;
    int64_t first_us;

    if (blocked_ms <= 0) {
        after_ms = clamp(destination_backlog_ms(destination), RETRY_MIN_MS,
                         BACKLOG_MAX_MS);
    }
    first_us = (now_ms + after_ms) * 1000;
    destination->booked_us += gap_us(destination, blocked_ms > 0);
    if (destination->booked_us < first_us ||
        destination->booked_us > first_us + INT64_C(1000) * HORIZON_MS) {
        destination->booked_us = first_us;
    }
    return destination->booked_us / 1000 - now_ms;
}

struct destination_ticket
destination_start(struct destination *destination, int64_t now_ms)
{
    struct destination_ticket ticket = {
        .destination = destination,
        .started_ms = now_ms,
        .probe = breaker_start(&destination->breaker, now_ms),
    };

    destination->under_way++;
    return ticket;
}

/*
 * One more for each success until it was halved for the first time, and after
 * that for as many successes as there are slots; while at least half of them
 * are used (RFC 7661: a limit that is not tried out says nothing).
 */
static void
grow(struct destination *destination)
{
    if (2 * destination->under_way < destination->limit ||
        destination->limit >= destination->most) {
        return;
    }
    destination->used_up++;
    if (destination->halved_ms == 0 ||
        destination->used_up >= destination->limit) {
        destination->limit++;
        destination->used_up = 0;
    }
}

/* Once for all that was under way when it was halved: they say the same. */
static void
shrink(struct destination *destination, int64_t started_ms, int64_t now_ms)
{
    if (started_ms <= destination->halved_ms) {
        return;
    }
    destination->halved_ms = now_ms;
    destination->used_up = 0;
    if (destination->limit > 1) {
        destination->limit /= 2;
    }
}

static void
hold(struct destination *destination, int64_t for_ms, int64_t now_ms)
{
    int64_t until_ms = now_ms + clamp(for_ms, 0, RETRY_AFTER_MAX_MS);

    if (for_ms > 0 && until_ms > destination->held_ms) {
        destination->held_ms = until_ms;
    }
}

static void
time_it(struct destination *destination, int64_t duration_ms)
{
    destination->took_ms += (duration_ms - destination->took_ms) / SMOOTHING;
}

/*
 * While jobs wait, its attempts end at the pace at which it can take them.
 * Where none waits it could take more than it was given.
 */
static void
pace(struct destination *destination, int64_t now_ms)
{
    int64_t span_ms = now_ms - destination->paced_ms;

    if (destination->waiting == 0) {
        destination->paced = 0;
        destination->gap_us /= 2;
        destination->booked_us = 0;
        return;
    }
    if (destination->paced > 0 && span_ms >= PACE_MS) {
        destination->gap_us = clamp(span_ms * 1000 / destination->paced,
                                    GAP_MIN_US, INT64_C(1000) * HORIZON_MS);
        destination->paced = 0;
    }
    if (destination->paced == 0) {
        destination->paced_ms = now_ms;
    }
    destination->paced++;
}

static void
learn(const struct destination_ticket *ticket, enum destination_result result,
      int64_t now_ms)
{
    struct destination *destination = ticket->destination;
    struct breaker *breaker = &destination->breaker;

    switch (result) {
    case DESTINATION_WELL:
        breaker_succeed(breaker, ticket->probe, now_ms);
        grow(destination);
        break;
    case DESTINATION_STRAINED:
        breaker_succeed(breaker, ticket->probe, now_ms);
        shrink(destination, ticket->started_ms, now_ms);
        break;
    case DESTINATION_FAILED:
        breaker_fail(breaker, ticket->probe, now_ms);
        shrink(destination, ticket->started_ms, now_ms);
        break;
    case DESTINATION_UNTRIED:
        breaker_forget(breaker, ticket->probe);
        return;
    }
    time_it(destination, now_ms - ticket->started_ms);
    pace(destination, now_ms);
}

void
destination_end(const struct destination_ticket *ticket,
                const struct destination_news *news, int64_t now_ms)
{
    learn(ticket, news->result, now_ms);
    hold(ticket->destination, news->retry_after_ms, now_ms);
    ticket->destination->under_way--;
}

int
destination_cost(const struct destination *destination)
{
    return (int)clamp(1 + destination->took_ms / DESTINATION_COST_MS, 1,
                      DESTINATION_COST_MAX);
}

enum destination_result
destination_judge(long status)
{
    if (status == 429) {
        return DESTINATION_STRAINED;
    }
    return status == 0 || status >= 500 ? DESTINATION_FAILED : DESTINATION_WELL;
}
