/*
 * batch: pages, wrong requests and known ids are answered at once, in the order
 * in which they came; ids that have to be counted are answered after the round
 * trip to Redis; /readyz is answered after a probe of Redis, and the JSON of
 * the status last, after a look at Redis.
 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/host_list.h"
#include "base/util.h"
#include "batch_log.h"
#include "fcgi_conn.h"
#include "id_cache.h"
#include "metrics_page.h"
#include "openapi_page.h"
#include "readyz_page.h"
#include "response.h"
#include "status_page.h"

struct batch {
    const struct options *options;
    struct redis *redis;
    struct counter *counter;
    struct pool_stats *stats;
    struct metrics_page *metrics;
    struct status_page *status;
    struct id_cache *cache;
    struct host_list *hosts; /* that endpoints may have; empty: any */
    uint64_t connection;     /* number of the connection to Redis; 0: none */
    int64_t cached_s;        /* the window whose ids the cache has; 0: none */
    struct counter_request *wanted;  /* ids that are being counted */
    struct fcgi_exchange **counting; /* their requests, in the same order */
    size_t counting_count;
    struct fcgi_exchange **probing; /* requests for /readyz */
    size_t probing_count;
    struct fcgi_exchange **looking; /* requests for the JSON of the status */
    size_t looking_count;
    int64_t started_us;   /* monotonic */
    size_t at_once_count; /* requests for ids that were answered at once */
    struct batch_log log;
};

/* A counter_observer. */
static void
note_run(void *context, enum counter_script script, enum redis_result result,
         int64_t us)
{
    struct batch *batch = context;

    pool_stats_observe_script(batch->stats, script, result, us,
                              redis_refusal(batch->redis));
}

struct batch *
batch_open(const struct options *options, struct redis *redis,
           struct counter *counter, struct pool_stats *stats)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    size_t most = (size_t)options->accept.max_batch;

    if (batch == NULL) {
        return NULL;
    }
    batch->options = options;
    batch->redis = redis;
    batch->counter = counter;
    batch->stats = stats;
    batch->log = (struct batch_log){
        .options = options, .redis = redis, .counter = counter};
    counter_observe(counter, note_run, batch);
    batch->metrics = metrics_page_open(options, stats);
    batch->status = status_page_open(options, redis, stats);
    batch->cache = id_cache_open((size_t)options->dedup.local_cache_ids);
    batch->hosts = host_list_open(options->callbacks.hosts);
    batch->wanted = calloc(most, sizeof(*batch->wanted));
    batch->counting = calloc(most, sizeof(struct fcgi_exchange *));
    batch->probing = calloc(most, sizeof(struct fcgi_exchange *));
    batch->looking = calloc(most, sizeof(struct fcgi_exchange *));
    if (batch->metrics == NULL || batch->status == NULL ||
        batch->cache == NULL || batch->hosts == NULL || batch->wanted == NULL ||
        batch->counting == NULL || batch->probing == NULL ||
        batch->looking == NULL) {
        batch_close(batch);
        return NULL;
    }
    return batch;
}

void
batch_close(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    counter_observe(batch->counter, NULL, NULL);
    metrics_page_close(batch->metrics);
    status_page_close(batch->status);
    id_cache_close(batch->cache);
    host_list_close(batch->hosts);
    free(batch->wanted);
    free(batch->counting);
    free(batch->probing);
    free(batch->looking);
    free(batch);
}

/* window_s is the header Verve-Window; 0: no header. */
static void
respond(struct batch *batch, struct fcgi_exchange *exchange, int status,
        enum error_code error, int64_t window_s)
{
    struct response response = {.status = status,
                                .error = error,
                                .window_s = window_s,
                                .head = exchange->request.head};

    /* First: a client that has its answer finds it in the metrics. */
    pool_stats_count_answer(batch->stats, exchange->request.kind, status,
                            error);
    fcgi_conn_respond(exchange, &response);
}

static void
respond_counted(struct batch *batch, struct fcgi_exchange *exchange,
                enum counter_answer counted, int64_t window_s)
{
    switch (counted) {
    case COUNTER_COUNTED:
        respond(batch, exchange, 200, ERROR_CODE_NONE, window_s);
        break;
    case COUNTER_QUEUE_FULL:
        respond(batch, exchange, 503, ERROR_CODE_CALLBACK_QUEUE_FULL, 0);
        break;
    case COUNTER_UNAVAILABLE:
        respond(batch, exchange, 503, ERROR_CODE_REDIS_UNAVAILABLE, 0);
        break;
    }
}

/* Of the batch that is over. */
static struct batch_answers
count_answers(const struct batch *batch)
{
    struct batch_answers answers = {0};

    for (size_t i = 0; i < batch->counting_count; i++) {
        const struct counter_request *one = &batch->wanted[i];

        switch (one->answer) {
        case COUNTER_UNAVAILABLE:
            answers.unavailable++;
            break;
        case COUNTER_QUEUE_FULL:
            answers.full++;
            break;
        case COUNTER_COUNTED:
            answers.counted++;
            answers.jobs += one->endpoint != NULL;
            break;
        }
    }
    return answers;
}

/* Counts what the round trip has brought. */
static void
count_batch(struct batch *batch, const struct batch_answers *answers,
            const struct counter_window *window)
{
    /* An estimate (hll) may grow by more than there were ids. */
    size_t fresh = size_min((size_t)window->added, answers->counted);

    pool_stats_observe_batch(batch->stats, batch->counting_count,
                             answers->jobs);
    pool_stats_count_ids(batch->stats, POOL_STATS_NEW, fresh);
    pool_stats_count_ids(batch->stats, POOL_STATS_SEEN,
                         answers->counted - fresh);
}

/* Logs that Redis lost data that was confirmed to clients. */
static void
log_loss(struct batch *batch)
{
    struct marks_loss loss;

    if (!counter_take_loss(batch->counter, &loss)) {
        return;
    }
    pool_stats_count_loss(batch->stats, &loss);
    batch_log_loss(&loss);
}

/* Adds the ids that were counted to the id cache. */
static void
cache_ids(struct batch *batch, const struct counter_window *window)
{
    struct id_cache_scope scope = {.window_s = window->start_s,
                                   .born_us = window->born_us,
                                   .connection = batch->connection};

    id_cache_renew(batch->cache, &scope, window->until_ms);
    for (size_t i = 0; i < batch->counting_count; i++) {
        if (batch->wanted[i].answer == COUNTER_COUNTED) {
            id_cache_add(batch->cache, batch->wanted[i].id);
        }
    }
    pool_stats_set_recent_ids(batch->stats, id_cache_count(batch->cache));
}

/* The round trip is over. */
static void
finish_counting(struct batch *batch)
{
    struct counter_window window = counter_result(batch->counter);
    struct batch_answers answers = count_answers(batch);

    batch_log_answers(&batch->log, &answers);
    count_batch(batch, &answers, &window);
    for (size_t i = 0; i < batch->counting_count; i++) {
        respond_counted(batch, batch->counting[i], batch->wanted[i].answer,
                        window.start_s);
    }
    if (window.until_ms != 0) {
        cache_ids(batch, &window);
    }
}

static void
respond_readyz(struct batch *batch, struct fcgi_exchange *exchange,
               const struct readyz *readyz)
{
    const struct request *request = &exchange->request;
    enum error_code error = readyz_page_error(readyz);
    int status = error == ERROR_CODE_NONE ? 200 : 503;

    if (request->verbose) {
        pool_stats_count_answer(batch->stats, REQUEST_READYZ, status, error);
        readyz_page_respond(readyz, exchange,
                            metrics_page_is_allowed(batch->metrics, request));
    } else {
        respond(batch, exchange, status, error, 0);
    }
}

/* Answers all requests for /readyz after one probe, which blocks. */
static void
finish_probing(struct batch *batch)
{
    struct readyz readyz = {.redis = batch->redis};

    counter_probe(batch->counter, &readyz.probe);
    batch_log_probe(&batch->log, readyz_page_error(&readyz),
                    batch->probing_count);
    for (size_t i = 0; i < batch->probing_count; i++) {
        respond_readyz(batch, batch->probing[i], &readyz);
    }
}

/* True if callbacks.hosts has the host of the request's endpoint. */
static bool
is_allowed(const struct batch *batch, const struct request *request)
{
    char host[HOST_LIST_NAME_SIZE];

    return request->endpoint == NULL || host_list_is_empty(batch->hosts) ||
           (endpoint_url_host(request->endpoint, host, sizeof(host)) &&
            host_list_has(batch->hosts, host));
}

/* An id: known, or to be counted. */
static void
add_id(struct batch *batch, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct counter_request *wanted = &batch->wanted[batch->counting_count];

    if (batch->cached_s != 0 && request->endpoint == NULL &&
        id_cache_has(batch->cache, request->id)) {
        pool_stats_count_ids(batch->stats, POOL_STATS_CACHED, 1);
        respond(batch, exchange, 200, ERROR_CODE_NONE, batch->cached_s);
        return;
    }
    *wanted = (struct counter_request){.id = request->id,
                                       .endpoint = request->endpoint,
                                       .endpoint_len = request->endpoint_len,
                                       .trace = &request->trace};
    batch->counting[batch->counting_count++] = exchange;
}

/* Answers all requests for the JSON of the status. The first may block. */
static void
finish_looking(struct batch *batch)
{
    for (size_t i = 0; i < batch->looking_count; i++) {
        pool_stats_count_answer(batch->stats, REQUEST_STATS, 200,
                                ERROR_CODE_NONE);
        status_page_respond(batch->status, batch->looking[i]);
    }
}

/* Pages that tell about the inside are not for everyone. */
static void
respond_inside(struct batch *batch, struct fcgi_exchange *exchange)
{
    enum request_kind kind = exchange->request.kind;

    if (!metrics_page_is_allowed(batch->metrics, &exchange->request)) {
        respond(batch, exchange, 403, ERROR_CODE_METRICS_NOT_ALLOWED, 0);
    } else if (kind == REQUEST_STATS) {
        batch->looking[batch->looking_count++] = exchange;
    } else if (kind == REQUEST_STATUS) {
        pool_stats_count_answer(batch->stats, kind, 200, ERROR_CODE_NONE);
        status_page_respond_file(exchange);
    } else {
        metrics_page_respond(batch->metrics, exchange);
        pool_stats_count_answer(batch->stats, kind, 200, ERROR_CODE_NONE);
    }
}

/* Answers a request that needs no Redis, and notes the others. */
static void
dispatch(struct batch *batch, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (request->status != 200) {
        respond(batch, exchange, request->status, request->error, 0);
        return;
    }
    switch (request->kind) {
    case REQUEST_ACCEPT:
        if (is_allowed(batch, request)) {
            add_id(batch, exchange);
        } else {
            respond(batch, exchange, 400, ERROR_CODE_ENDPOINT_NOT_ALLOWED, 0);
        }
        break;
    case REQUEST_READYZ:
        batch->probing[batch->probing_count++] = exchange;
        break;
    case REQUEST_METRICS:
    case REQUEST_STATS:
    case REQUEST_STATUS:
        respond_inside(batch, exchange);
        break;
    case REQUEST_OPENAPI:
        pool_stats_count_answer(batch->stats, REQUEST_OPENAPI, 200,
                                ERROR_CODE_NONE);
        openapi_page_respond(exchange);
        break;
    case REQUEST_HEALTHZ:
        respond(batch, exchange, 200, ERROR_CODE_NONE, 0);
        break;
    case REQUEST_UNKNOWN:
        respond(batch, exchange, 404, ERROR_CODE_NONE, 0);
        break;
    }
}

/* Notes how long the requests for ids took. */
static void
observe_requests(struct batch *batch)
{
    int64_t now_us, at_once_us;

    if (batch->at_once_count + batch->counting_count == 0) {
        return;
    }
    now_us = clock_mono_us();
    at_once_us =
        batch->counting_count > 0 ? counter_started_us(batch->counter) : now_us;
    if (batch->at_once_count > 0) {
        pool_stats_observe_requests(
            batch->stats, at_once_us - batch->started_us, batch->at_once_count);
    }
    if (batch->counting_count > 0) {
        pool_stats_observe_requests(batch->stats, now_us - batch->started_us,
                                    batch->counting_count);
    }
    pool_stats_refresh(batch->stats, now_us);
}

/* The round trip is over, or there was none. Always false. */
static bool
finish(struct batch *batch)
{
    log_loss(batch);
    if (batch->counting_count > 0) {
        finish_counting(batch);
    }
    observe_requests(batch);
    if (batch->probing_count > 0) {
        finish_probing(batch);
    }
    finish_looking(batch);
    return false;
}

void
batch_sign_off(struct batch *batch)
{
    counter_sign_off(batch->counter);
    log_loss(batch);
}

bool
batch_start(struct batch *batch, struct fcgi_exchange *exchanges, size_t count)
{
    batch->connection = redis_check_connection(batch->redis);
    batch->started_us = clock_mono_us();
    batch->cached_s = id_cache_window(batch->cache, batch->connection,
                                      batch->started_us / 1000);
    batch->counting_count = 0;
    batch->probing_count = 0;
    batch->looking_count = 0;
    batch->at_once_count = 0;
    for (size_t i = 0; i < count; i++) {
        batch->at_once_count += exchanges[i].request.kind == REQUEST_ACCEPT;
        dispatch(batch, &exchanges[i]);
    }
    batch->at_once_count -= batch->counting_count;
    return ((batch->counting_count > 0 ||
             counter_idle_ms(batch->counter) == 0) &&
            counter_start(batch->counter, batch->wanted,
                          batch->counting_count)) ||
           finish(batch);
}

bool
batch_step(struct batch *batch)
{
    return counter_step(batch->counter) || finish(batch);
}
