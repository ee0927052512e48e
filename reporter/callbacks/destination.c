/*
 * destination: its limit moves like TCP's congestion window (Chiu and Jain,
 * 1989): it grows by addition, shrinks by half, and grows only while attempts
 * need it.
 */
#include "destination.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "base/util.h"
#include "retry_policy.h"

enum {
    SMOOTHING = 8, /* the weight of a new duration is 1/8 */
    HALF_MS_US = 500,
    DURATION_UNKNOWN_US = 50000,

    GAP_MIN_US = 20,          /* between two jobs that come from Redis, ... */
    GAP_BLOCKED_MIN_US = 500, /* ... and if the destination is blocked */
    GAP_BLOCKED_MAX_US = 30000,

    RETURN_MIN_MS = 20,
    RETURN_FIRST_MAX_MS = 1000, /* if it is not blocked: it may take more */
};

/* A part of a URL, borrowed from it. */
struct part {
    const char *text;
    size_t len;
};

/* Cuts the port off authority. 0 if there is no port, or an empty one. */
static int64_t
cut_port(struct part *authority)
{
    size_t start = authority->len;
    int64_t port = 0;

    while (start > 0 && isdigit((unsigned char)authority->text[start - 1])) {
        start--;
    }
    /* Digits without a colon before them are the end of the host. */
    if (start > 0 && authority->text[start - 1] == ':') {
        decimal_parse(authority->text + start, authority->len - start, &port);
        authority->len = start - 1;
    }
    return port;
}

/*
 * Splits the URL as in RFC 3986, 3. libcurl's parser has checked it before it
 * was queued; parsing it again there for each job would cost more than all
 * else in the choice of a destination.
 */
void
destination_read_origin(const char *url, char origin[DESTINATION_ORIGIN_SIZE])
{
    const char *mark = strstr(url, "://");
    struct part scheme = {url, mark == NULL ? 0 : (size_t)(mark - url)};
    struct part authority = {mark == NULL ? url : mark + 3, 0};
    int64_t port;

    authority.len = strcspn(authority.text, "/?#");
    port = cut_port(&authority);
    if (port == 0) {
        port = scheme.len == 5 && strncasecmp(scheme.text, "https", 5) == 0
                   ? 443
                   : 80;
    }
    snprintf(origin, DESTINATION_ORIGIN_SIZE, "%.*s://%.*s:%" PRId64,
             (int)scheme.len, scheme.text, (int)authority.len, authority.text,
             port);
    for (char *c = origin; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}

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

int64_t
destination_blocked_ms(const struct destination *destination, int64_t now_ms)
{
    int64_t hold_ms = destination->hold_until_ms - now_ms;
    int64_t open_ms = circuit_breaker_wait_ms(&destination->breaker, now_ms);

    return int64_max(hold_ms, open_ms);
}

bool
destination_may_start(const struct destination *destination, int64_t now_ms)
{
    return destination->under_way < destination->limit &&
           now_ms >= destination->hold_until_ms &&
           circuit_breaker_permits(&destination->breaker, now_ms);
}

/*
 * The expected time between the ends of two attempts. If it is too short, jobs
 * are claimed too early and returned once more; if it is too long, the
 * destination waits for jobs.
 */
static int64_t
gap_us(const struct destination *destination)
{
    int64_t expected_limit = 2 * (int64_t)destination->limit;
    int64_t max_limit = (int64_t)destination->max_limit;
    int64_t duration_us = destination->duration_us;

    /* A limit that was never halved may still grow fast. */
    if (destination->halved_ms == 0 || expected_limit > max_limit) {
        expected_limit = max_limit;
    }
    return (duration_us > 0 ? duration_us : DURATION_UNKNOWN_US) /
           expected_limit;
}

int64_t
destination_backlog_ms(const struct destination *destination)
{
    return (int64_t)destination->waiting * gap_us(destination) / 1000;
}

/*
 * Jobs in Redis form a line: each one is claimed when the destination may have
 * finished those before it. So jobs are here when they are needed, and a flood
 * for one destination does not go to and fro so often that the jobs of others
 * are found late. After round_ms the line starts again from the front, so that
 * a slow destination that has become fast gets jobs soon.
 */
int64_t
destination_return_job(struct destination *destination, int64_t round_ms,
                       int64_t now_ms)
{
    int64_t first_ms = destination_blocked_ms(destination, now_ms);
    int64_t gap = gap_us(destination);
    int64_t line_us;

    if (first_ms > 0) {
        gap = int64_clamp(gap, GAP_BLOCKED_MIN_US, GAP_BLOCKED_MAX_US);
    } else {
        gap = int64_max(gap, GAP_MIN_US);
        first_ms = int64_clamp(destination_backlog_ms(destination),
                               RETURN_MIN_MS, RETURN_FIRST_MAX_MS);
    }
    line_us = (int64_t)destination->in_redis * gap;
    destination->in_redis++;
    return first_ms + line_us / 1000 % round_ms;
}

void
destination_reclaim_job(struct destination *destination)
{
    if (destination->in_redis > 0) {
        destination->in_redis--;
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

void
destination_end(const struct destination_ticket *ticket,
                const struct retry_verdict *verdict, int64_t now_ms)
{
    struct destination *destination = ticket->destination;

    record_evidence(ticket, verdict->evidence, now_ms);
    if (verdict->hold_ms > 0) {
        destination->hold_until_ms =
            int64_max(destination->hold_until_ms, now_ms + verdict->hold_ms);
    }
    destination->under_way--;
    destination->in_redis +=
        verdict->disposition == JOB_RETRY || verdict->disposition == JOB_RETURN;
    /* It has no jobs left here: let the next ones come earlier. */
    if (destination->waiting == 0) {
        destination->in_redis /= 2;
    }
}

int
destination_cost(const struct destination *destination)
{
    return (int)int64_clamp(1 + destination->duration_us / 1000 /
                                    DESTINATION_COST_MS,
                            1, DESTINATION_COST_MAX);
}
