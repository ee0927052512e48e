/*
 * round: pages, wrong requests and known ids are answered at once, in the order
 * in which they came; ids that have to be counted are answered after the round
 * trip to Redis; /readyz is answered after a probe of each shard, and the JSON
 * of the status while no run is under way, after a look at Redis.
 */
#include "round.h"

#include <stdlib.h>

#include "answers.h"
#include "base/clock.h"
#include "base/host_list.h"
#include "base/util.h"
#include "lanes.h"
#include "metrics_page.h"
#include "openapi_page.h"
#include "readiness.h"
#include "status_page.h"

struct round {
    const struct options *options;
    struct pool_stats *stats;
    struct answers answers;
    struct metrics_page *metrics;
    struct status_page *status;
    struct host_list *hosts; /* that endpoints may have; empty: any */
    struct lanes *lanes;
    struct readiness *readiness;
    struct fcgi_exchange_list looking; /* for the JSON of the status */
    size_t looking_count;
    int64_t started_us; /* monotonic */
};

static bool
open_readiness(struct round *round)
{
    const struct readiness_settings settings = {
        .timeout_ms = round->options->redis.timeout_ms,
        .lanes = lanes_list(round->lanes),
        .count = lanes_count(round->lanes),
        .answers = &round->answers,
        .metrics = round->metrics};

    round->readiness = readiness_open(&settings);
    return round->readiness != NULL;
}

struct round *
round_open(const struct options *options, struct store *store,
           struct pool_stats *stats)
{
    struct round *round = calloc(1, sizeof(*round));

    if (round == NULL) {
        return NULL;
    }
    round->options = options;
    round->stats = stats;
    answers_init(&round->answers, stats);
    STAILQ_INIT(&round->looking);
    round->metrics = metrics_page_open(options, stats);
    round->status = status_page_open(options, store, stats);
    round->hosts = host_list_open(options->callbacks.hosts);
    round->lanes = lanes_open(options, store, &round->answers, stats);
    if (round->metrics == NULL || round->status == NULL ||
        round->hosts == NULL || round->lanes == NULL ||
        !open_readiness(round)) {
        round_close(round);
        return NULL;
    }
    return round;
}

void
round_close(struct round *round)
{
    if (round == NULL) {
        return;
    }
    lanes_close(round->lanes);
    readiness_close(round->readiness);
    metrics_page_close(round->metrics);
    status_page_close(round->status);
    host_list_close(round->hosts);
    free(round);
}

size_t
round_most(const struct round *round)
{
    return (size_t)round->options->accept.max_batch * lanes_count(round->lanes);
}

/* A lane has a batch on its way and LANE_WAITING_BATCHES that wait. */
size_t
round_most_held(const struct round *round)
{
    return (LANE_WAITING_BATCHES + 2) * round_most(round) +
           (size_t)round->options->accept.max_batch;
}

/* Has a request for a page wait, if there is room: some always is for ids. */
static void
add_page(struct round *round, struct fcgi_exchange *exchange)
{
    size_t held = readiness_held(round->readiness) + round->looking_count;

    if (held >= (size_t)round->options->accept.max_batch) {
        answers_give(&round->answers, exchange, 503,
                     ERROR_CODE_REDIS_UNAVAILABLE, 0);
    } else if (exchange->request.kind == REQUEST_READYZ) {
        readiness_add(round->readiness, exchange);
    } else {
        STAILQ_INSERT_TAIL(&round->looking, exchange, link);
        round->looking_count++;
    }
}

/* True if callbacks.hosts has the host of the request's endpoint. */
static bool
is_allowed(const struct round *round, const struct request *request)
{
    char host[HOST_LIST_NAME_SIZE];

    return request->endpoint == NULL || host_list_is_empty(round->hosts) ||
           (endpoint_url_host(request->endpoint, host, sizeof(host)) &&
            host_list_has(round->hosts, host));
}

/* Pages that tell about the inside are not for everyone. */
static void
respond_inside(struct round *round, struct fcgi_exchange *exchange)
{
    enum request_kind kind = exchange->request.kind;

    if (!metrics_page_is_allowed(round->metrics, &exchange->request)) {
        answers_give(&round->answers, exchange, 403,
                     ERROR_CODE_METRICS_NOT_ALLOWED, 0);
    } else if (kind == REQUEST_STATS) {
        add_page(round, exchange);
    } else if (kind == REQUEST_STATUS) {
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
        status_page_respond_file(exchange);
    } else {
        metrics_page_respond(round->metrics, exchange);
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
    }
}

/* Puts an accept request into its lane. True if it was answered at once. */
static bool
add_id(struct round *round, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (!is_allowed(round, request)) {
        answers_give(&round->answers, exchange, 400,
                     ERROR_CODE_ENDPOINT_NOT_ALLOWED, 0);
        return true;
    }
    return !lane_add(lanes_of(round->lanes, request->id), exchange);
}

/* The other requests: answers those that need no Redis, and notes the others.
 */
static void
dispatch(struct round *round, struct fcgi_exchange *exchange)
{
    switch (exchange->request.kind) {
    case REQUEST_READYZ:
        add_page(round, exchange);
        break;
    case REQUEST_METRICS:
    case REQUEST_STATS:
    case REQUEST_STATUS:
        respond_inside(round, exchange);
        break;
    case REQUEST_OPENAPI:
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
        openapi_page_respond(exchange);
        break;
    case REQUEST_ACCEPT:
    case REQUEST_HEALTHZ:
        answers_give(&round->answers, exchange, 200, ERROR_CODE_NONE, 0);
        break;
    case REQUEST_UNKNOWN:
        answers_give(&round->answers, exchange, 404, ERROR_CODE_NONE, 0);
        break;
    }
}

/* Returns how many requests for ids were answered at once. */
static size_t
dispatch_all(struct round *round, struct fcgi_exchange_list *exchanges)
{
    struct fcgi_exchange *exchange;
    size_t at_once = 0;

    while ((exchange = STAILQ_FIRST(exchanges)) != NULL) {
        const struct request *request = &exchange->request;

        STAILQ_REMOVE_HEAD(exchanges, link);
        exchange->since_us = round->started_us;
        if (request->status != 200) {
            at_once += request->kind == REQUEST_ACCEPT;
            answers_give(&round->answers, exchange, request->status,
                         request->error, 0);
        } else if (request->kind == REQUEST_ACCEPT) {
            at_once += add_id(round, exchange);
        } else {
            dispatch(round, exchange);
        }
    }
    return at_once;
}

static struct fcgi_exchange *
take_looking(struct round *round)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(&round->looking);

    if (exchange != NULL) {
        STAILQ_REMOVE_HEAD(&round->looking, link);
        round->looking_count--;
    }
    return exchange;
}

/* Answers all requests for the JSON of the status. The first may block. */
static void
finish_looking(struct round *round)
{
    struct fcgi_exchange *exchange;

    if (round->looking_count == 0 || lanes_are_out(round->lanes)) {
        return;
    }
    while ((exchange = take_looking(round)) != NULL) {
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
        status_page_respond(round->status, exchange);
    }
}

/* What may follow once a run is over. */
static void
settle(struct round *round)
{
    lanes_tell(round->lanes);
    readiness_finish(round->readiness, false);
    finish_looking(round);
}

void
round_start(struct round *round, struct fcgi_exchange_list *exchanges)
{
    size_t at_once;

    round->started_us = clock_mono_us();
    lanes_begin(round->lanes, round->started_us);
    lanes_tell(round->lanes);
    at_once = dispatch_all(round, exchanges);
    if (at_once > 0) {
        int64_t now_us = clock_mono_us();

        pool_stats_observe_requests(round->stats, now_us - round->started_us,
                                    at_once);
        pool_stats_refresh(round->stats, now_us);
    }
    lanes_go(round->lanes);
    settle(round);
}

bool
round_is_under_way(const struct round *round)
{
    return lanes_are_under_way(round->lanes);
}

void
round_step(struct round *round)
{
    lanes_step(round->lanes);
    settle(round);
}

struct fcgi_exchange *
round_answered(struct round *round)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(&round->answers.given);

    if (exchange != NULL) {
        STAILQ_REMOVE_HEAD(&round->answers.given, link);
    }
    return exchange;
}

int64_t
round_wait_ms(const struct round *round)
{
    return wait_shorter_ms(lanes_wait_ms(round->lanes),
                           readiness_wait_ms(round->readiness));
}

bool
round_is_idle(const struct round *round)
{
    return readiness_held(round->readiness) + round->looking_count +
               lanes_held(round->lanes) ==
           0;
}

void
round_end(struct round *round)
{
    struct fcgi_exchange *exchange;

    readiness_finish(round->readiness, true);
    while ((exchange = take_looking(round)) != NULL) {
        answers_give(&round->answers, exchange, 503,
                     ERROR_CODE_REDIS_UNAVAILABLE, 0);
    }
    lanes_end(round->lanes);
}
