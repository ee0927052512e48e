/*
 * destination: its limit moves like TCP's congestion window (Chiu and Jain,
 * 1989): it grows by addition, shrinks by half, and grows only while attempts
 * need it.
 */
#include "destination.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "retry_policy.h"
#include "store/job_queue.h"

enum {
    SMOOTHING = 8, /* the weight of a new duration is 1/8 */
    HALF_MS_US = 500,
    WAIT_MIN_MS = 20,
    WAIT_FULL_MAX_MS = 1000,     /* if it is not blocked */
    NOTE_AGAIN_MS = 3600000,     /* a proof in Redis is renewed after this */
    STEADY_MS = 30000,           /* a proof that has stood for this is steady */
    KEPT_NEW_MS = 2 * STEADY_MS, /* of a place in Redis, at first */
    KEPT_STEADY_MS = JOB_QUEUE_KEPT_MAX_MS, /* the same, once it is steady */
};

struct destination *
destination_open(const char *origin, size_t max_limit)
{
    size_t size = strlen(origin) + 1;
    struct destination *destination = calloc(1, sizeof(*destination) + size);

    if (destination == NULL) {
        return NULL;
    }
    destination->last = &destination->first;
    destination->max_limit = max_limit;
    destination->limit = size_min(max_limit, DESTINATION_START_LIMIT);
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

void
destination_remove(struct destination *destination, struct job *job)
{
    struct job **link = &destination->first;

    while (*link != job) {
        link = &(*link)->next;
    }
    *link = job->next;
    if (job->next == NULL) {
        destination->last = link;
    }
    job->next = NULL;
    destination->waiting--;
}

int64_t
destination_blocked_ms(const struct destination *destination, int64_t now_ms)
{
    int64_t hold_ms = destination->hold_until_ms - now_ms;
    int64_t open_ms = circuit_breaker_wait_ms(&destination->breaker, now_ms);
    int64_t crowded_ms = destination->crowded_until_ms - now_ms;

    return int64_max(int64_max(hold_ms, open_ms), crowded_ms);
}

static size_t
limit_now(const struct destination *destination)
{
    return destination->proven ? destination->limit : 1;
}

bool
destination_may_start(const struct destination *destination, int64_t now_ms)
{
    return destination->under_way < limit_now(destination) &&
           now_ms >= destination->hold_until_ms &&
           now_ms >= destination->crowded_until_ms &&
           circuit_breaker_permits(&destination->breaker, now_ms);
}

size_t
destination_room(const struct destination *destination, int64_t now_ms)
{
    size_t here =
        destination->waiting + destination->under_way + destination->coming;
    size_t room = limit_now(destination);

    if (destination_blocked_ms(destination, now_ms) > 0) {
        return 0;
    }
    if (circuit_breaker_state(&destination->breaker, now_ms) ==
        CIRCUIT_BREAKER_HALF_OPEN) {
        return here == 0 ? DESTINATION_PROBES : 0;
    }
    if (destination->proven && destination->duration_us > 0) {
        room += destination->limit * DESTINATION_AHEAD_MS * 1000 /
                (size_t)destination->duration_us;
    }
    return here < room ? room - here : 0;
}

int64_t
destination_room_in_ms(const struct destination *destination, int64_t now_ms)
{
    int64_t blocked_ms = destination_blocked_ms(destination, now_ms);

    return blocked_ms > 0
               ? int64_clamp(blocked_ms, WAIT_MIN_MS, DESTINATION_WAIT_MAX_MS)
               : int64_clamp(destination->duration_us / 1000, WAIT_MIN_MS,
                             WAIT_FULL_MAX_MS);
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
 * Until the limit was halved for the first time, it grows by 1 for each
 * success; after that, by 1 for as many successes as it is. It does not grow
 * while less than half of it is used (RFC 7661: a limit that was not tried out
 * proves nothing).
 */
static void
grow_limit(struct destination *destination)
{
    if (2 * destination->under_way < destination->limit ||
        destination->limit >= destination->max_limit) {
        return;
    }
    destination->successes++;
    if (destination->halved_ms == 0 ||
        destination->successes >= destination->limit) {
        destination->limit++;
        destination->successes = 0;
    }
}

/* Once for all attempts that were under way when the limit was halved. */
static void
halve_limit(struct destination *destination, int64_t started_ms, int64_t now_ms)
{
    if (started_ms <= destination->halved_ms) {
        return;
    }
    destination->halved_ms = now_ms;
    destination->successes = 0;
    if (destination->limit > 1) {
        destination->limit /= 2;
    }
}

/* duration_ms is cut to whole milliseconds: half of one is added. */
static void
record_duration(struct destination *destination, int64_t duration_ms)
{
    int64_t us = duration_ms * 1000 + HALF_MS_US;

    if (destination->duration_us == 0) {
        destination->duration_us = us;
    } else {
        destination->duration_us += (us - destination->duration_us) / SMOOTHING;
    }
}

static void
record_evidence(const struct destination_ticket *ticket,
                enum retry_evidence evidence, int64_t now_ms)
{
    struct destination *destination = ticket->destination;
    struct circuit_breaker *breaker = &destination->breaker;

    switch (evidence) {
    case RETRY_EVIDENCE_NONE:
        circuit_breaker_cancel(breaker, ticket->probe);
        return;
    case RETRY_EVIDENCE_SUCCESS:
        circuit_breaker_succeed(breaker, ticket->probe, now_ms);
        destination->answered_ms = now_ms;
        grow_limit(destination);
        break;
    case RETRY_EVIDENCE_OVERLOAD:
        circuit_breaker_succeed(breaker, ticket->probe, now_ms);
        halve_limit(destination, ticket->started_ms, now_ms);
        break;
    case RETRY_EVIDENCE_FAILURE:
        circuit_breaker_fail(breaker, ticket->probe, now_ms);
        halve_limit(destination, ticket->started_ms, now_ms);
        break;
    }
    record_duration(destination, now_ms - ticket->started_ms);
}

/*
 * True if the verdict says nothing about the destination, but only about the
 * path: another path has answered lately.
 */
static bool
is_of_path(const struct destination *destination,
           const struct retry_verdict *verdict, int64_t now_ms)
{
    bool bad = verdict->hold_ms > 0 ||
               verdict->evidence == RETRY_EVIDENCE_OVERLOAD ||
               (verdict->evidence == RETRY_EVIDENCE_FAILURE &&
                verdict->scope == RETRY_SCOPE_PATH);

    return bad && destination->answered_ms != 0 &&
           now_ms - destination->answered_ms < DESTINATION_ANSWERED_MS;
}

static void
hold(struct destination *destination, int64_t hold_ms, int64_t now_ms)
{
    if (hold_ms > 0) {
        hold_ms = int64_min(hold_ms, DESTINATION_HOLD_MAX_MS);
        destination->hold_until_ms =
            int64_max(destination->hold_until_ms, now_ms + hold_ms);
    }
}

void
destination_prove(struct destination *destination, int64_t now_ms)
{
    if (!destination->proven) {
        destination->proven = true;
        destination->proven_ms = now_ms;
    }
}

static void
record_reach(struct destination *destination, enum retry_reach reach,
             int64_t now_ms)
{
    switch (reach) {
    case RETRY_REACH_UNKNOWN:
        break;
    case RETRY_REACH_ANSWERED:
        destination_prove(destination, now_ms);
        destination->lost = 0;
        break;
    case RETRY_REACH_LOST:
        destination->lost++;
        if (destination->lost >= DESTINATION_LOST) {
            destination->proven = false;
        }
        break;
    }
}

void
destination_end(const struct destination_ticket *ticket,
                const struct retry_verdict *verdict, int64_t now_ms)
{
    struct destination *destination = ticket->destination;

    if (is_of_path(destination, verdict, now_ms)) {
        circuit_breaker_cancel(&destination->breaker, ticket->probe);
        record_duration(destination, now_ms - ticket->started_ms);
    } else {
        record_evidence(ticket, verdict->evidence, now_ms);
        hold(destination, verdict->hold_ms, now_ms);
    }
    record_reach(destination, verdict->reach, now_ms);
    destination->under_way--;
}

int
destination_cost(const struct destination *destination)
{
    return (int)int64_clamp(1 + destination->duration_us / 1000 /
                                    DESTINATION_COST_MS,
                            1, DESTINATION_COST_MAX);
}

/* Whether the proof was steady, or will be, at a time. */
static bool
is_steady(const struct destination *destination, int64_t at_ms)
{
    return at_ms - destination->proven_ms >= STEADY_MS;
}

int64_t
destination_kept_ms(const struct destination *destination, int64_t now_ms)
{
    if (!destination->proven) {
        return 0;
    }
    return is_steady(destination, now_ms) ? KEPT_STEADY_MS : KEPT_NEW_MS;
}

bool
destination_is_note_old(const struct destination *destination, int64_t now_ms)
{
    return now_ms - destination->noted_ms > NOTE_AGAIN_MS ||
           (is_steady(destination, now_ms) &&
            !is_steady(destination, destination->noted_ms));
}
