/*
 * batch: pages, wrong requests and ids that are known already are answered at
 * once, in the order in which they came; what has to be counted, after the
 * commit; who asks for Redis itself, last.
 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "recent.h"

enum { COMPLAINT_PAUSE_MS = 60000 };

struct batch {
    struct redis *redis;
    struct tally *tally;
    struct recent *recent;
    struct exchange *exchanges;
    int64_t known_s; /* the window of which recent knows ids; 0: none */
    struct exchange **counting; /* those that wait to be counted */
    size_t counting_count;
    struct exchange **asking; /* those that ask for Redis itself */
    size_t asking_count;
    struct tally_request *wanted; /* what these want to be counted */
    int64_t quiet_until_ms;       /* monotonic: no complaint before */
    bool complained;              /* and no word yet that it is over */
};

struct batch *
batch_open(const struct options *options, struct redis *redis,
           struct tally *tally)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    size_t most = (size_t)options->accept.max_batch;

    if (batch == NULL) {
        return NULL;
    }
    batch->redis = redis;
    batch->tally = tally;
    batch->recent = recent_open((size_t)options->dedup.local_cache_ids);
    batch->exchanges = calloc(most, sizeof(*batch->exchanges));
    batch->counting = calloc(most, sizeof(*batch->counting));
    batch->asking = calloc(most, sizeof(*batch->asking));
    batch->wanted = calloc(most, sizeof(*batch->wanted));
    if (batch->recent == NULL || batch->exchanges == NULL ||
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
    recent_close(batch->recent);
    free(batch->exchanges);
    free(batch->counting);
    free(batch->asking);
    free(batch->wanted);
    free(batch);
}

static void
answer_status(struct exchange *exchange, int status)
{
    struct answer told = {.status = status,
                          .error = exchange->request.error,
                          .head = exchange->request.head};

    exchange_answer(exchange, &told);
}

static void
answer_ok(struct exchange *exchange, int64_t window_s)
{
    struct answer told = {
        .status = 200, .window_s = window_s, .head = exchange->request.head};

    exchange_answer(exchange, &told);
}

static void
answer_failed(struct exchange *exchange, const char *error)
{
    struct answer told = {
        .status = 503, .error = error, .head = exchange->request.head};

    exchange_answer(exchange, &told);
}

static void
answer_counted(struct exchange *exchange, enum tally_answer answer,
               int64_t window_s)
{
    switch (answer) {
    case TALLY_COUNTED:
        answer_ok(exchange, window_s);
        break;
    case TALLY_QUEUE_FULL:
        answer_failed(exchange, "callback-queue-full");
        break;
    case TALLY_UNAVAILABLE:
        answer_failed(exchange, "redis-unavailable");
        break;
    }
}

/*
 * A connection's coming and going is logged by its owner; what is left to say
 * here is that Redis is there and refuses (out of memory, or replicas, say).
 */
static void
complain(struct batch *batch)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms >= batch->quiet_until_ms) {
        log_error("requests are refused: %s", redis_error(batch->redis));
        batch->quiet_until_ms = now_ms + COMPLAINT_PAUSE_MS;
        batch->complained = true;
    }
}

static void
all_clear(struct batch *batch)
{
    if (batch->complained) {
        log_info("requests are counted again");
        batch->complained = false;
    }
}

/* Keeps the ids that were counted, so that the next time needs no Redis. */
static void
remember(struct batch *batch, const struct tally_window *window,
         uint64_t connection, size_t count)
{
    struct recent_scope scope = {.window_s = window->start_s,
                                 .born_us = window->born_us,
                                 .connection = connection};
    size_t i;

    recent_renew(batch->recent, &scope, window->until_ms);
    for (i = 0; i < count; i++) {
        if (batch->wanted[i].answer == TALLY_COUNTED) {
            recent_add(batch->recent, batch->wanted[i].id);
        }
    }
}

/* Counts the batch in one round trip and answers it. */
static void
commit(struct batch *batch, uint64_t connection)
{
    size_t count = batch->counting_count;
    struct tally_window window =
        tally_commit(batch->tally, batch->wanted, count);
    size_t i;

    if (tally_was_refused(batch->tally)) {
        complain(batch);
    }
    for (i = 0; i < count; i++) {
        answer_counted(batch->counting[i], batch->wanted[i].answer,
                       window.start_s);
    }
    if (window.until_ms != 0) {
        all_clear(batch);
        remember(batch, &window, connection, count);
    }
}

/* Answers all that ask whether Redis would count, with one question to it. */
static void
answer_readiness(struct batch *batch)
{
    int status = tally_is_ready(batch->tally) ? 200 : 503;
    size_t i;

    if (tally_was_refused(batch->tally)) {
        complain(batch);
    }
    for (i = 0; i < batch->asking_count; i++) {
        answer_status(batch->asking[i], status);
    }
}

/* An id for Redis to count, unless it is known. */
static void
add_to_batch(struct batch *batch, struct exchange *exchange)
{
    struct tally_request *counted = &batch->wanted[batch->counting_count];
    const struct request *request = &exchange->request;

    memset(counted, 0, sizeof(*counted));
    counted->id = request->id;
    if (exchange_wants_callback(exchange)) {
        counted->endpoint = request->endpoint;
        counted->endpoint_len = request->endpoint_len;
    }
    if (batch->known_s != 0 && counted->endpoint == NULL &&
        recent_has(batch->recent, request->id)) {
        answer_ok(exchange, batch->known_s);
    } else {
        batch->counting[batch->counting_count++] = exchange;
    }
}

/* Answers what needs no Redis, and has the others wait. */
static void
sort_out(struct batch *batch, struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (request->status != 200) {
        answer_status(exchange, request->status);
        return;
    }
    switch (request->kind) {
    case REQUEST_ACCEPT:
        add_to_batch(batch, exchange);
        break;
    case REQUEST_READYZ:
        batch->asking[batch->asking_count++] = exchange;
        break;
    case REQUEST_HEALTHZ:
        answer_status(exchange, 200);
        break;
    case REQUEST_UNKNOWN:
        answer_status(exchange, 404);
        break;
    }
}

void
batch_serve(struct batch *batch, const int *fds, size_t count)
{
    uint64_t connection = redis_connection(batch->redis);
    size_t i;

    batch->known_s = recent_window(batch->recent, connection, clock_mono_ms());
    batch->counting_count = 0;
    batch->asking_count = 0;
    for (i = 0; i < count; i++) {
        if (exchange_hear(&batch->exchanges[i], fds[i])) {
            sort_out(batch, &batch->exchanges[i]);
        }
    }
    if (batch->counting_count > 0) {
        commit(batch, connection);
    }
    if (batch->asking_count > 0) {
        answer_readiness(batch);
    }
}
