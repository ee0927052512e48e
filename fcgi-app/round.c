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
#include "lane.h"
#include "metrics_page.h"
#include "openapi_page.h"
#include "readyz_page.h"
#include "status_page.h"
#include "store/shard.h"
#include "store/shard_news.h"

enum {
    ROUND_MS = 10, /* a slow shard delays the others by no more than that */
};

/* A list of exchanges that wait, and how many. */
struct pages {
    struct fcgi_exchange_list list;
    size_t count;
};

struct round {
    const struct options *options;
    struct store *store;
    struct pool_stats *stats;
    struct answers answers;
    struct pool_presence *presence;
    struct metrics_page *metrics;
    struct status_page *status;
    struct host_list *hosts; /* that endpoints may have; empty: any */
    struct shard_news *news; /* NULL: there is one shard */
    size_t count;            /* of shards */
    struct lane **lanes;     /* of each shard */
    bool *late;              /* of each: its run is left behind */
    struct readyz *readyz;   /* of each: while /readyz is answered */
    struct pages probing;    /* requests for /readyz */
    int64_t probe_ends_ms;   /* monotonic: until when a probe is waited for */
    struct pages looking;    /* requests for the JSON of the status */
    int64_t started_us;      /* monotonic */
};

static struct lane *
open_lane(struct round *round, size_t shard)
{
    size_t ids = (size_t)round->options->dedup.local_cache_ids;
    struct lane_settings settings = {
        .options = store_view(round->store, (int64_t)shard),
        .redis = store_shard(round->store, (int64_t)shard),
        .news = round->news,
        .answers = &round->answers,
        .stats = round->stats,
        .presence = shard == 0 ? round->presence : NULL,
        .cache_ids = ids / round->count + (ids % round->count != 0)};

    return lane_open(&settings);
}

static bool
open_lanes(struct round *round)
{
    int64_t shards = store_shards(round->store);

    round->count = (size_t)shards;
    round->lanes = calloc(round->count, sizeof(struct lane *));
    round->late = calloc(round->count, sizeof(*round->late));
    round->readyz = calloc(round->count, sizeof(*round->readyz));
    if (shards > 1) {
        round->news = shard_news_open(shards, round->options->window.seconds);
    }
    if (round->lanes == NULL || round->late == NULL || round->readyz == NULL ||
        (shards > 1 && round->news == NULL)) {
        return false;
    }
    for (size_t i = 0; i < round->count; i++) {
        round->lanes[i] = open_lane(round, i);
        if (round->lanes[i] == NULL) {
            return false;
        }
    }
    return true;
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
    round->store = store;
    round->stats = stats;
    answers_init(&round->answers, stats);
    STAILQ_INIT(&round->probing.list);
    STAILQ_INIT(&round->looking.list);
    round->presence = pool_presence_open(options, store_shard(store, 0), stats);
    round->metrics = metrics_page_open(options, stats);
    round->status = status_page_open(options, store, stats);
    round->hosts = host_list_open(options->callbacks.hosts);
    if (round->presence == NULL || round->metrics == NULL ||
        round->status == NULL || round->hosts == NULL || !open_lanes(round)) {
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
    for (size_t i = 0; round->lanes != NULL && i < round->count; i++) {
        lane_close(round->lanes[i]);
    }
    free(round->lanes);
    free(round->late);
    free(round->readyz);
    shard_news_close(round->news);
    pool_presence_close(round->presence);
    metrics_page_close(round->metrics);
    status_page_close(round->status);
    host_list_close(round->hosts);
    free(round);
}

size_t
round_most(const struct round *round)
{
    return (size_t)round->options->accept.max_batch * round->count;
}

/* A lane has a batch on its way and LANE_WAITING_BATCHES that wait. */
size_t
round_most_held(const struct round *round)
{
    return (LANE_WAITING_BATCHES + 2) * round_most(round) +
           (size_t)round->options->accept.max_batch;
}

static void
add_page(struct round *round, struct pages *pages,
         struct fcgi_exchange *exchange)
{
    if (round->probing.count + round->looking.count >=
        (size_t)round->options->accept.max_batch) {
        answers_give(&round->answers, exchange, 503,
                     ERROR_CODE_REDIS_UNAVAILABLE, 0);
        return;
    }
    STAILQ_INSERT_TAIL(&pages->list, exchange, link);
    pages->count++;
}

static struct fcgi_exchange *
take_page(struct pages *pages)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(&pages->list);

    if (exchange != NULL) {
        STAILQ_REMOVE_HEAD(&pages->list, link);
        pages->count--;
    }
    return exchange;
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
        add_page(round, &round->looking, exchange);
    } else if (kind == REQUEST_STATUS) {
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
        status_page_respond_file(exchange);
    } else {
        metrics_page_respond(round->metrics, exchange);
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
    }
}

/* The first of several has each shard probed. */
static void
want_probe(struct round *round, struct fcgi_exchange *exchange)
{
    if (round->probing.count == 0) {
        round->probe_ends_ms =
            clock_mono_ms() + 2 * round->options->redis.timeout_ms;
        for (size_t i = 0; i < round->count; i++) {
            lane_want_probe(round->lanes[i]);
        }
    }
    add_page(round, &round->probing, exchange);
}

/* Puts an accept request into its lane. True if it was answered at once. */
static bool
add_id(struct round *round, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;
    size_t shard = round->count == 1
                       ? 0
                       : (size_t)shard_of(request->id, (int64_t)round->count);

    if (!is_allowed(round, request)) {
        answers_give(&round->answers, exchange, 400,
                     ERROR_CODE_ENDPOINT_NOT_ALLOWED, 0);
        return true;
    }
    return !lane_add(round->lanes[shard], exchange);
}

/* The other requests: answers those that need no Redis, and notes the others.
 */
static void
dispatch(struct round *round, struct fcgi_exchange *exchange)
{
    switch (exchange->request.kind) {
    case REQUEST_READYZ:
        want_probe(round, exchange);
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

static void
respond_readyz(struct round *round, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;
    enum error_code error = readyz_page_error(round->readyz, round->count);
    int status = error == ERROR_CODE_NONE ? 200 : 503;

    if (request->verbose) {
        answers_note(&round->answers, exchange, status, error);
        readyz_page_respond(round->readyz, round->count, exchange,
                            metrics_page_is_allowed(round->metrics, request));
    } else {
        answers_give(&round->answers, exchange, status, error, 0);
    }
}

/* Answers /readyz once each shard is probed, or no time is left. */
static void
finish_probing(struct round *round)
{
    bool waits = clock_mono_ms() < round->probe_ends_ms;
    size_t count = round->probing.count;
    struct fcgi_exchange *exchange;

    for (size_t i = 0; i < round->count; i++) {
        const struct probe *probe = lane_probe(round->lanes[i]);
        struct readyz *readyz = &round->readyz[i];

        if (probe == NULL && waits) {
            return;
        }
        readyz->redis = store_shard(round->store, (int64_t)i);
        readyz->probe =
            probe != NULL ? *probe : (struct probe){.fault = PROBE_NO_ANSWER};
    }
    for (size_t i = 0; i < round->count; i++) {
        lane_log_probe(round->lanes[i], readyz_page_error(&round->readyz[i], 1),
                       count);
    }
    while ((exchange = take_page(&round->probing)) != NULL) {
        respond_readyz(round, exchange);
    }
}

static bool
is_any_out(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        if (lane_is_out(round->lanes[i])) {
            return true;
        }
    }
    return false;
}

/* Answers all requests for the JSON of the status. The first may block. */
static void
finish_looking(struct round *round)
{
    struct fcgi_exchange *exchange;

    if (round->looking.count == 0 || is_any_out(round)) {
        return;
    }
    while ((exchange = take_page(&round->looking)) != NULL) {
        answers_note(&round->answers, exchange, 200, ERROR_CODE_NONE);
        status_page_respond(round->status, exchange);
    }
}

/* What follows once a run is over. */
static void
settle(struct round *round)
{
    size_t cached = 0;

    if (round->probing.count > 0) {
        finish_probing(round);
    }
    finish_looking(round);
    for (size_t i = 0; i < round->count; i++) {
        cached += lane_cached(round->lanes[i]);
    }
    pool_stats_set_recent_ids(round->stats, cached);
}

/* Goes on with the run of a lane, and starts the next. */
static void
step_lane(struct round *round, size_t i)
{
    if (!lane_step(round->lanes[i])) {
        round->late[i] = false;
        lane_go(round->lanes[i]);
    }
}

void
round_start(struct round *round, struct fcgi_exchange_list *exchanges)
{
    size_t at_once;

    round->started_us = clock_mono_us();
    for (size_t i = 0; i < round->count; i++) {
        lane_begin(round->lanes[i]);
        if (lane_is_out(round->lanes[i]) && !lane_step(round->lanes[i])) {
            round->late[i] = false;
        }
        lane_expire(round->lanes[i]);
    }
    at_once = dispatch_all(round, exchanges);
    if (at_once > 0) {
        int64_t now_us = clock_mono_us();

        pool_stats_observe_requests(round->stats, now_us - round->started_us,
                                    at_once);
        pool_stats_refresh(round->stats, now_us);
    }
    for (size_t i = 0; i < round->count; i++) {
        lane_go(round->lanes[i]);
    }
    settle(round);
}

bool
round_is_under_way(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        if (lane_is_out(round->lanes[i]) && !round->late[i]) {
            return true;
        }
    }
    return false;
}

/* Of a round of several shards. */
static int64_t
left_ms(const struct round *round)
{
    int64_t passed_ms = (clock_mono_us() - round->started_us) / 1000;

    return int64_max(ROUND_MS - passed_ms, 0);
}

/* Waits for the runs of several lanes, and goes on with those that may. */
static void
step_several(struct round *round)
{
    const struct redis *awaited[REDIS_AWAIT_MOST];
    size_t lanes[REDIS_AWAIT_MOST];
    size_t count = 0;
    uint64_t ready;

    for (size_t i = 0; i < round->count; i++) {
        if (lane_is_out(round->lanes[i])) {
            lanes[count] = i;
            awaited[count++] = store_shard(round->store, (int64_t)i);
        }
    }
    ready = redis_await_any(awaited, count, left_ms(round));
    for (size_t i = 0; i < count; i++) {
        if ((ready >> i & 1) != 0) {
            step_lane(round, lanes[i]);
        }
    }
    if (left_ms(round) == 0) {
        for (size_t i = 0; i < round->count; i++) {
            round->late[i] = lane_is_out(round->lanes[i]);
        }
    }
}

void
round_step(struct round *round)
{
    if (round->count > 1) {
        step_several(round);
    } else {
        redis_await(store_shard(round->store, 0));
        step_lane(round, 0);
    }
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
    int64_t ms = -1;

    for (size_t i = 0; i < round->count; i++) {
        ms = wait_shorter_ms(ms, lane_wait_ms(round->lanes[i]));
    }
    if (round->probing.count > 0) {
        ms = wait_shorter_ms(
            ms, int64_max(round->probe_ends_ms - clock_mono_ms(), 0));
    }
    return ms;
}

bool
round_is_idle(const struct round *round)
{
    size_t held = round->probing.count + round->looking.count;

    for (size_t i = 0; i < round->count; i++) {
        held += lane_held(round->lanes[i]);
    }
    return held == 0;
}

void
round_end(struct round *round)
{
    struct fcgi_exchange *exchange;

    round->probe_ends_ms = 0;
    if (round->probing.count > 0) {
        finish_probing(round);
    }
    while ((exchange = take_page(&round->looking)) != NULL) {
        answers_give(&round->answers, exchange, 503,
                     ERROR_CODE_REDIS_UNAVAILABLE, 0);
    }
    for (size_t i = 0; i < round->count; i++) {
        lane_give_up(round->lanes[i]);
        lane_sign_off(round->lanes[i]);
    }
    if (!lane_is_out(round->lanes[0])) {
        pool_presence_sign_off(round->presence);
    }
}
