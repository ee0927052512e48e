/*
 * batch: the order of the answers. Pages, wrong requests and ids that are in
 * the id cache are answered at once, in the order in which they came. Then all
 * other ids are counted and answered. /readyz is answered last, after a probe
 * of Redis.
 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "fcgi_conn.h"
#include "id_cache.h"
#include "response.h"

struct batch {
    struct redis *redis;
    struct counter *counter;
    struct id_cache *cache;
    struct fcgi_conn *conns;
    int64_t cached_s; /* the window whose ids the cache has; 0: none */
    struct fcgi_conn **counting; /* requests to be counted */
    size_t counting_count;
    struct counter_request *ids; /* the id of each of them */
    struct fcgi_conn **probing;  /* requests for /readyz */
    size_t probing_count;
    struct log_throttle refused; /* Redis refuses to count */
    struct log_throttle unready; /* Redis refuses the probe */
};

struct batch *
batch_open(const struct options *options, struct redis *redis,
           struct counter *counter)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    size_t most = (size_t)options->accept.max_batch;

    if (batch == NULL) {
        return NULL;
    }
    batch->redis = redis;
    batch->counter = counter;
    batch->cache = id_cache_open((size_t)options->dedup.local_cache_ids);
    batch->conns = calloc(most, sizeof(*batch->conns));
    batch->counting = calloc(most, sizeof(*batch->counting));
    batch->ids = calloc(most, sizeof(*batch->ids));
    batch->probing = calloc(most, sizeof(*batch->probing));
    if (batch->cache == NULL || batch->conns == NULL ||
        batch->counting == NULL || batch->ids == NULL ||
        batch->probing == NULL || FCGX_Init() != 0) {
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
    id_cache_close(batch->cache);
    free(batch->conns);
    free(batch->counting);
    free(batch->ids);
    free(batch->probing);
    free(batch);
}

/* window_s is the header Verve-Window; 0: no header. */
static void
respond(struct fcgi_conn *conn, int status, enum error_code error,
        int64_t window_s)
{
    struct response response = {.status = status,
                                .error = error,
                                .window_s = window_s,
                                .head = conn->request.head};

    fcgi_conn_respond(conn, &response);
}

static void
respond_counted(struct fcgi_conn *conn, enum counter_answer answer,
                int64_t window_s)
{
    switch (answer) {
    case COUNTER_COUNTED:
        respond(conn, 200, ERROR_CODE_NONE, window_s);
        break;
    case COUNTER_QUEUE_FULL:
        respond(conn, 503, ERROR_CODE_CALLBACK_QUEUE_FULL, 0);
        break;
    case COUNTER_UNAVAILABLE:
        respond(conn, 503, ERROR_CODE_REDIS_UNAVAILABLE, 0);
        break;
    }
}

/*
 * Logs that Redis refuses to count (for instance: out of memory, or too few
 * replicas), and the end of that. A connection that is lost or made is logged
 * elsewhere (redis_log.h).
 */
static void
log_commit(struct batch *batch, bool counted)
{
    if (counted && log_throttle_end(&batch->refused)) {
        log_info("requests are counted again");
    }
    if (counter_was_refused(batch->counter) &&
        log_throttle_due(&batch->refused)) {
        log_error("requests are refused: %s", redis_error(batch->redis));
    }
}

/* Apart: Redis may refuse the probe's write and count, or the reverse. */
static void
log_probe(struct batch *batch, bool ready)
{
    if (ready && log_throttle_end(&batch->unready)) {
        log_info("ready again");
    }
    if (counter_was_refused(batch->counter) &&
        log_throttle_due(&batch->unready)) {
        log_error("not ready: %s", redis_error(batch->redis));
    }
}

/* Adds the ids that were counted to the id cache. */
static void
cache_ids(struct batch *batch, const struct counter_window *window,
          uint64_t connection, size_t count)
{
    struct id_cache_scope scope = {.window_s = window->start_s,
                                   .born_us = window->born_us,
                                   .connection = connection};
    size_t i;

    id_cache_renew(batch->cache, &scope, window->until_ms);
    for (i = 0; i < count; i++) {
        if (batch->ids[i].answer == COUNTER_COUNTED) {
            id_cache_add(batch->cache, batch->ids[i].id);
        }
    }
}

/* Counts all ids of the batch in one round trip, and answers their requests. */
static void
commit(struct batch *batch, uint64_t connection)
{
    size_t count = batch->counting_count;
    struct counter_window window =
        counter_commit(batch->counter, batch->ids, count);
    size_t i;

    log_commit(batch, window.until_ms != 0);
    for (i = 0; i < count; i++) {
        respond_counted(batch->counting[i], batch->ids[i].answer,
                        window.start_s);
    }
    if (window.until_ms != 0) {
        cache_ids(batch, &window, connection, count);
    }
}

/* Answers all requests for /readyz by one probe of Redis. */
static void
probe(struct batch *batch)
{
    bool ready = counter_is_ready(batch->counter);
    size_t i;

    log_probe(batch, ready);
    for (i = 0; i < batch->probing_count; i++) {
        respond(batch->probing[i], ready ? 200 : 503, ERROR_CODE_NONE, 0);
    }
}

/* Answers a request if its id is in the cache; else its id is to be counted. */
static void
accept_id(struct batch *batch, struct fcgi_conn *conn)
{
    const struct request *request = &conn->request;

    if (batch->cached_s != 0 && request->endpoint == NULL &&
        id_cache_has(batch->cache, request->id)) {
        respond(conn, 200, ERROR_CODE_NONE, batch->cached_s);
        return;
    }
    batch->ids[batch->counting_count] =
        (struct counter_request){.id = request->id,
                                 .endpoint = request->endpoint,
                                 .endpoint_len = request->endpoint_len};
    batch->counting[batch->counting_count++] = conn;
}

/* Answers a request that needs no Redis, and sorts the others. */
static void
dispatch(struct batch *batch, struct fcgi_conn *conn)
{
    const struct request *request = &conn->request;

    if (request->status != 200) {
        respond(conn, request->status, request->error, 0);
        return;
    }
    switch (request->kind) {
    case REQUEST_ACCEPT:
        accept_id(batch, conn);
        break;
    case REQUEST_READYZ:
        batch->probing[batch->probing_count++] = conn;
        break;
    case REQUEST_HEALTHZ:
        respond(conn, 200, ERROR_CODE_NONE, 0);
        break;
    case REQUEST_UNKNOWN:
        respond(conn, 404, ERROR_CODE_NONE, 0);
        break;
    }
}

void
batch_serve(struct batch *batch, const int *fds, size_t count)
{
    uint64_t connection = redis_check_connection(batch->redis);
    size_t i;

    batch->cached_s =
        id_cache_window(batch->cache, connection, clock_mono_ms());
    batch->counting_count = 0;
    batch->probing_count = 0;
    for (i = 0; i < count; i++) {
        if (fcgi_conn_read(&batch->conns[i], fds[i])) {
            dispatch(batch, &batch->conns[i]);
        }
    }
    if (batch->counting_count > 0) {
        commit(batch, connection);
    }
    if (batch->probing_count > 0) {
        probe(batch);
    }
}
