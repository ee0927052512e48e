/*
 * batch: pages, wrong requests and ids that are known already are answered at
 * once, in the order in which they came; what has to be counted, after the
 * commit; who asks for Redis itself, last.
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
    struct fcgi_conn *exchanges;
    int64_t known_s; /* the window of which recent knows ids; 0: none */
    struct fcgi_conn **counting; /* those that wait to be counted */
    size_t counting_count;
    struct fcgi_conn **asking; /* those that ask for Redis itself */
    size_t asking_count;
    struct counter_request *wanted; /* what these want to be counted */
    struct log_throttle refused;    /* Redis refuses to count */
    struct log_throttle unready;    /* ... what /readyz asks */
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
    batch->exchanges = calloc(most, sizeof(*batch->exchanges));
    batch->counting = calloc(most, sizeof(*batch->counting));
    batch->asking = calloc(most, sizeof(*batch->asking));
    batch->wanted = calloc(most, sizeof(*batch->wanted));
    if (batch->cache == NULL || batch->exchanges == NULL ||
        batch->counting == NULL || batch->asking == NULL ||
        batch->wanted == NULL) {
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
    free(batch->exchanges);
    free(batch->counting);
    free(batch->asking);
    free(batch->wanted);
    free(batch);
}

static void
answer_status(struct fcgi_conn *conn, int status)
{
    struct response told = {.status = status,
                            .error = conn->request.error,
                            .head = conn->request.head};

    fcgi_conn_answer(conn, &told);
}

static void
answer_ok(struct fcgi_conn *conn, int64_t window_s)
{
    struct response told = {
        .status = 200, .window_s = window_s, .head = conn->request.head};

    fcgi_conn_answer(conn, &told);
}

static void
answer_failed(struct fcgi_conn *conn, const char *error)
{
    struct response told = {
        .status = 503, .error = error, .head = conn->request.head};

    fcgi_conn_answer(conn, &told);
}

static void
answer_counted(struct fcgi_conn *conn, enum counter_answer answer,
               int64_t window_s)
{
    switch (answer) {
    case COUNTER_COUNTED:
        answer_ok(conn, window_s);
        break;
    case COUNTER_QUEUE_FULL:
        answer_failed(conn, "callback-queue-full");
        break;
    case COUNTER_UNAVAILABLE:
        answer_failed(conn, "redis-unavailable");
        break;
    }
}

/*
 * A connection's coming and going is logged by its owner; what is left to say
 * here is that Redis is there and refuses (out of memory, or replicas, say).
 */
static void
note_commit(struct batch *batch, bool counted)
{
    if (counted && log_throttle_end(&batch->refused)) {
        log_info("requests are counted again");
    }
    if (counter_was_refused(batch->counter) &&
        log_throttle_due(&batch->refused)) {
        log_error("requests are refused: %s", redis_error(batch->redis));
    }
}

/* Of its own, as Redis may refuse /readyz's write and count, or the reverse. */
static void
note_readiness(struct batch *batch, bool ready)
{
    if (ready && log_throttle_end(&batch->unready)) {
        log_info("ready again");
    }
    if (counter_was_refused(batch->counter) &&
        log_throttle_due(&batch->unready)) {
        log_error("not ready: %s", redis_error(batch->redis));
    }
}

/* Keeps the ids that were counted, so that the next time needs no Redis. */
static void
remember(struct batch *batch, const struct counter_window *window,
         uint64_t connection, size_t count)
{
    struct id_cache_scope scope = {.window_s = window->start_s,
                                   .born_us = window->born_us,
                                   .connection = connection};
    size_t i;

    id_cache_renew(batch->cache, &scope, window->until_ms);
    for (i = 0; i < count; i++) {
        if (batch->wanted[i].answer == COUNTER_COUNTED) {
            id_cache_add(batch->cache, batch->wanted[i].id);
        }
    }
}

/* Counts the batch in one round trip and answers it. */
static void
commit(struct batch *batch, uint64_t connection)
{
    size_t count = batch->counting_count;
    struct counter_window window =
        counter_commit(batch->counter, batch->wanted, count);
    size_t i;

    note_commit(batch, window.until_ms != 0);
    for (i = 0; i < count; i++) {
        answer_counted(batch->counting[i], batch->wanted[i].answer,
                       window.start_s);
    }
    if (window.until_ms != 0) {
        remember(batch, &window, connection, count);
    }
}

/* Answers all that ask whether Redis would count, with one question to it. */
static void
answer_readiness(struct batch *batch)
{
    bool ready = counter_is_ready(batch->counter);
    size_t i;

    note_readiness(batch, ready);
    for (i = 0; i < batch->asking_count; i++) {
        answer_status(batch->asking[i], ready ? 200 : 503);
    }
}

/* An id for Redis to count, unless it is known. */
static void
add_to_batch(struct batch *batch, struct fcgi_conn *conn)
{
    struct counter_request *counted = &batch->wanted[batch->counting_count];
    const struct request *request = &conn->request;

    memset(counted, 0, sizeof(*counted));
    counted->id = request->id;
    if (fcgi_conn_wants_callback(conn)) {
        counted->endpoint = request->endpoint;
        counted->endpoint_len = request->endpoint_len;
    }
    if (batch->known_s != 0 && counted->endpoint == NULL &&
        id_cache_has(batch->cache, request->id)) {
        answer_ok(conn, batch->known_s);
    } else {
        batch->counting[batch->counting_count++] = conn;
    }
}

/* Answers what needs no Redis, and has the others wait. */
static void
dispatch(struct batch *batch, struct fcgi_conn *conn)
{
    const struct request *request = &conn->request;

    if (request->status != 200) {
        answer_status(conn, request->status);
        return;
    }
    switch (request->kind) {
    case REQUEST_ACCEPT:
        add_to_batch(batch, conn);
        break;
    case REQUEST_READYZ:
        batch->asking[batch->asking_count++] = conn;
        break;
    case REQUEST_HEALTHZ:
        answer_status(conn, 200);
        break;
    case REQUEST_UNKNOWN:
        answer_status(conn, 404);
        break;
    }
}

void
batch_serve(struct batch *batch, const int *fds, size_t count)
{
    uint64_t connection = redis_check_connection(batch->redis);
    size_t i;

    batch->known_s = id_cache_window(batch->cache, connection, clock_mono_ms());
    batch->counting_count = 0;
    batch->asking_count = 0;
    for (i = 0; i < count; i++) {
        if (fcgi_conn_read(&batch->exchanges[i], fds[i])) {
            dispatch(batch, &batch->exchanges[i]);
        }
    }
    if (batch->counting_count > 0) {
        commit(batch, connection);
    }
    if (batch->asking_count > 0) {
        answer_readiness(batch);
    }
}
