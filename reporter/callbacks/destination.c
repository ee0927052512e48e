/*
 * destination: the limit moves as TCP's congestion window does, additive up,
 * halved down (Chiu and Jain, 1989), up only while it is what holds us back.
 */
#include "destination.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "retry_after.h"

enum {
    SMOOTHING = 8, /* a new duration counts one in so many */
    HALF_MS_US = 500,
    TOOK_UNKNOWN_US = 50000,

    GAP_MIN_US = 20,          /* between two jobs that come back, ... */
    GAP_BLOCKED_MIN_US = 500, /* ... and where it takes none now */
    GAP_BLOCKED_MAX_US = 30000,

    RETRY_MIN_MS = 20,
    RETRY_FIRST_MAX_MS = 1000, /* where it takes some: it may take more */
};

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
    int64_t open_ms = circuit_breaker_wait_ms(&destination->breaker, now_ms);

    return int64_max(held_ms, open_ms);
}

bool
destination_is_free(const struct destination *destination, int64_t now_ms)
{
    return destination->under_way < destination->limit &&
           now_ms >= destination->held_ms &&
           circuit_breaker_permits(&destination->breaker, now_ms);
}

/*
 * Between two jobs, if all goes well. One that comes too soon goes another
 * round; one that comes too late costs time for all.
 */
static int64_t
gap_us(const struct destination *destination)
{
    int64_t most = (int64_t)destination->most;
    int64_t hoped_for = 2 * (int64_t)destination->limit;
    int64_t took_us = destination->took_us;

    if (destination->halved_ms == 0 || hoped_for > most) {
        hoped_for = most;
    }
    return (took_us > 0 ? took_us : TOOK_UNKNOWN_US) / hoped_for;
}

int64_t
destination_backlog_ms(const struct destination *destination)
{
    return (int64_t)destination->waiting * gap_us(destination) / 1000;
}

/*
 * Jobs outside stand in line, one behind the other, at the pace at which their
 * destination may take them: so it finds them here when it needs them, and a
 * flood for one destination that goes back and forth does not keep us from
 * finding the jobs of others. Beyond a round the line begins anew: one that was
 * slow and is fast now has work again before long.
 */
int64_t
destination_retry_ms(struct destination *destination, int64_t round_ms,
                     int64_t now_ms)
{
    int64_t first_ms = destination_blocked_ms(destination, now_ms);
    int64_t gap = gap_us(destination);
    int64_t line_us;

    if (first_ms > 0) {
        gap = int64_clamp(gap, GAP_BLOCKED_MIN_US, GAP_BLOCKED_MAX_US);
    } else {
        gap = gap > GAP_MIN_US ? gap : GAP_MIN_US;
        first_ms = int64_clamp(destination_backlog_ms(destination),
                               RETRY_MIN_MS, RETRY_FIRST_MAX_MS);
    }
    line_us = (int64_t)destination->outside * gap;
    destination->outside++;
    return first_ms + line_us / 1000 % round_ms;
}

void
destination_came_again(struct destination *destination)
{
    if (destination->outside > 0) {
        destination->outside--;
    }
}

struct destination_ticket
destination_start(struct destination *destination, int64_t now_ms)
{
    struct destination_ticket ticket = {
        .destination = destination,
        .started_ms = now_ms,
        .probe = circuit_breaker_start(&destination->breaker, now_ms),
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
    int64_t until_ms = now_ms + int64_clamp(for_ms, 0, RETRY_AFTER_MAX_MS);

    if (for_ms > 0 && until_ms > destination->held_ms) {
        destination->held_ms = until_ms;
    }
}

/* Of a duration we know the whole milliseconds only. */
static void
time_it(struct destination *destination, int64_t duration_ms)
{
    int64_t us = duration_ms * 1000 + HALF_MS_US;

    if (destination->took_us == 0) {
        destination->took_us = us;
    } else {
        destination->took_us += (us - destination->took_us) / SMOOTHING;
    }
}

static void
learn(const struct destination_ticket *ticket, enum destination_result result,
      int64_t now_ms)
{
    struct destination *destination = ticket->destination;
    struct circuit_breaker *breaker = &destination->breaker;

    switch (result) {
    case DESTINATION_WELL:
        circuit_breaker_succeed(breaker, ticket->probe, now_ms);
        grow(destination);
        break;
    case DESTINATION_STRAINED:
        circuit_breaker_succeed(breaker, ticket->probe, now_ms);
        shrink(destination, ticket->started_ms, now_ms);
        break;
    case DESTINATION_FAILED:
        circuit_breaker_fail(breaker, ticket->probe, now_ms);
        shrink(destination, ticket->started_ms, now_ms);
        break;
    case DESTINATION_NO_EVIDENCE:
        circuit_breaker_forget(breaker, ticket->probe);
        return;
    }
    time_it(destination, now_ms - ticket->started_ms);
}

void
destination_end(const struct destination_ticket *ticket,
                const struct destination_news *news, int64_t now_ms)
{
    struct destination *destination = ticket->destination;

    learn(ticket, news->result, now_ms);
    hold(destination, news->retry_after_ms, now_ms);
    destination->under_way--;
    destination->outside += news->comes_again;
    /* It could take more than comes: let the next ones come sooner. */
    if (destination->waiting == 0) {
        destination->outside /= 2;
    }
}

int
destination_cost(const struct destination *destination)
{
    return (int)int64_clamp(1 + destination->took_us / 1000 /
                                    DESTINATION_COST_MS,
                            1, DESTINATION_COST_MAX);
}

enum destination_result
destination_classify(long status)
{
    if (status == 429) {
        return DESTINATION_STRAINED;
    }
    return status == 0 || status >= 500 ? DESTINATION_FAILED : DESTINATION_WELL;
}
