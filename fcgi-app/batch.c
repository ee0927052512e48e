/*
 * batch: pages, wrong requests and ids that are known already are answered at
 * once, in the order in which they came; what has to be counted, after the
 * commit.
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
    struct exchange **counting;   /* those of them that wait for Redis */
    struct tally_request *wanted; /* what these want to be counted */
    int64_t quiet_until_ms;       /* monotonic: no complaint before */
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
    batch->wanted = calloc(most, sizeof(*batch->wanted));
    if (batch->recent == NULL || batch->exchanges == NULL ||
        batch->counting == NULL || batch->wanted == NULL) {
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
    free(batch->wanted);
    free(batch);
}

/* The status for requests that need neither an id nor a round trip. */
static int
answer_page(const struct batch *batch, const struct request *request)
{
    switch (request->kind) {
    case REQUEST_ACCEPT:
    case REQUEST_UNKNOWN:
        break;
    case REQUEST_HEALTHZ:
        return 200;
    case REQUEST_READYZ:
        return redis_ping(batch->redis) ? 200 : 503;
    }
    return 404;
}

/* Answers what needs no counting; returns false where it must be counted. */
static bool
answer_at_once(const struct batch *batch, struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct answer told = {.status = request->status,
                          .error = request->error,
                          .head = request->head};

    if (request->status == 200 && request->kind == REQUEST_ACCEPT) {
        return false;
    }
    if (request->status == 200) {
        told.status = answer_page(batch, request);
    }
    exchange_answer(exchange, &told);
    return true;
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
 * here is that Redis is there and refuses (out of memory, say).
 */
static void
complain(struct batch *batch)
{
    int64_t now_ms = clock_mono_ms();

    if (redis_state(batch->redis) == REDIS_STATE_UP &&
        now_ms >= batch->quiet_until_ms) {
        log_error("requests are refused: %s", redis_error(batch->redis));
        batch->quiet_until_ms = now_ms + COMPLAINT_PAUSE_MS;
    }
}

/* Keeps the ids that were counted, so that the next time needs no Redis. */
static void
remember(struct batch *batch, const struct tally_window *window,
         uint64_t connection, size_t count)
{
    struct recent_scope scope = {.window_s = window->start_s,
                                 .born_s = window->born_s,
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
commit(struct batch *batch, uint64_t connection, size_t count)
{
    struct tally_window window =
        tally_commit(batch->tally, batch->wanted, count);
    size_t i;

    for (i = 0; i < count; i++) {
        if (batch->wanted[i].answer == TALLY_UNAVAILABLE) {
            complain(batch);
        }
        answer_counted(batch->counting[i], batch->wanted[i].answer,
                       window.start_s);
    }
    if (window.until_ms != 0) {
        remember(batch, &window, connection, count);
    }
}

static void
add_to_batch(struct batch *batch, size_t at, struct exchange *exchange)
{
    struct tally_request *counted = &batch->wanted[at];

    memset(counted, 0, sizeof(*counted));
    counted->id = exchange->request.id;
    if (exchange_wants_callback(exchange)) {
        counted->endpoint = exchange->request.endpoint;
        counted->endpoint_len = exchange->request.endpoint_len;
    }
    batch->counting[at] = exchange;
}

/*
 * Deals with the connections fds[0..count): answers what it can, adds the
 * others to the batch. Returns how many these are. known_s is the window of
 * which recent knows ids, 0 where it may not be asked.
 */
static size_t
hear_all(struct batch *batch, const int *fds, size_t count, int64_t known_s)
{
    size_t counting = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        struct exchange *exchange = &batch->exchanges[i];

        if (!exchange_hear(exchange, fds[i]) ||
            answer_at_once(batch, exchange)) {
            continue;
        }
        add_to_batch(batch, counting, exchange);
        if (known_s != 0 && batch->wanted[counting].endpoint == NULL &&
            recent_has(batch->recent, exchange->request.id)) {
            answer_ok(exchange, known_s);
        } else {
            counting++;
        }
    }
    return counting;
}

void
batch_serve(struct batch *batch, const int *fds, size_t count)
{
    uint64_t connection = redis_connection(batch->redis);
    int64_t known_s = recent_window(batch->recent, connection, clock_mono_ms());
    size_t counting = hear_all(batch, fds, count, known_s);

    if (counting > 0) {
        commit(batch, connection, counting);
    }
}
