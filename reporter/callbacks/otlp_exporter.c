/*
 * otlp_exporter: a ring of spans. A request has the oldest of them; they leave
 * the ring once the receiver has taken or refused them, so that a request that
 * is sent again may have more spans than before.
 */
#include "otlp_exporter.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_throttle.h"
#include "base/util.h"
#include "net/curl_loop.h"
#include "otlp_request.h"
#include "otlp_span.h"

#define WHO "traces" /* in the log; also for the connections */

enum {
    BACKOFF_MS = 1000,            /* after the first failure, then doubled */
    BACKOFF_MAX_MS = 32000,       /* without the random part */
    RETRY_AFTER_MOST_MS = 300000, /* a longer Retry-After is cut to this */
    INSTANCE_SIZE = HOST_NAME_SIZE + 24,
};

struct otlp_exporter {
    struct event_loop *loop;
    struct curl_loop *transfers;
    struct otlp_request *request;
    char instance[INSTANCE_SIZE]; /* <host>:<pid> */
    char *ring[OTLP_EXPORTER_QUEUE];
    size_t first; /* the oldest span of the ring */
    size_t count; /* spans of the ring */
    char *body;   /* of the request under way; NULL: there is none */
    size_t sent;  /* spans of that request */
    int failures; /* in a row */
    struct event_loop_timer timer;    /* the next request */
    struct event_loop_timer deadline; /* of a flush */
    bool flushing;
    void (*done)(void *context); /* of a flush; NULL: none, or it was called */
    void *context;
    struct metrics *metrics;
    struct log_throttle trouble;   /* the receiver does not take spans */
    struct log_throttle rejection; /* it took a request in part */
    struct log_throttle full;
};

/* Removes the oldest spans. */
static void
pop(struct otlp_exporter *exporter, size_t count)
{
    exporter->count -= count;
    for (; count > 0; count--) {
        free(exporter->ring[exporter->first]);
        exporter->first = (exporter->first + 1) % OTLP_EXPORTER_QUEUE;
    }
}

/* Ends a flush. What is left in the queue is lost. */
static void
end_flush(struct otlp_exporter *exporter)
{
    void (*done)(void *context) = exporter->done;

    if (exporter->count > 0) {
        metrics_count_spans(exporter->metrics, METRICS_SPANS_DROPPED,
                            exporter->count);
        log_warn(WHO ": %zu spans are lost, as the reporter ends",
                 exporter->count);
        pop(exporter, exporter->count);
    }
    event_loop_disarm(exporter->loop, &exporter->timer);
    event_loop_disarm(exporter->loop, &exporter->deadline);
    exporter->done = NULL;
    if (done != NULL) {
        done(exporter->context);
    }
}

/* Exponential backoff: up to as much again at random. */
static int64_t
backoff_ms(const struct otlp_exporter *exporter, int64_t retry_after_ms)
{
    int64_t wait_ms = BACKOFF_MS;

    for (int i = 1; i < exporter->failures && wait_ms < BACKOFF_MAX_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms += (int64_t)random_below((uint64_t)wait_ms);
    return int64_max(wait_ms, int64_min(retry_after_ms, RETRY_AFTER_MOST_MS));
}

/* Plans the next request, or ends the flush. */
static void
plan(struct otlp_exporter *exporter, int64_t delay_ms)
{
    if (exporter->flushing && (exporter->count == 0 || delay_ms > 0)) {
        end_flush(exporter);
    } else if (exporter->count > 0) {
        event_loop_arm(exporter->loop, &exporter->timer, delay_ms);
    }
}

/* The spans of the request have not been taken; they stay in the queue. */
static void
fail(struct otlp_exporter *exporter, const char *why, int64_t retry_after_ms)
{
    log_throttle_note(&exporter->trouble, WHO, why);
    exporter->failures++;
    plan(exporter, backoff_ms(exporter, retry_after_ms));
}

/* The ring's oldest spans, in their order: OTLP_EXPORTER_BATCH at most. */
static size_t
gather(const struct otlp_exporter *exporter, char *spans[OTLP_EXPORTER_BATCH])
{
    size_t count = size_min(exporter->count, OTLP_EXPORTER_BATCH);

    for (size_t i = 0; i < count; i++) {
        spans[i] = exporter->ring[(exporter->first + i) % OTLP_EXPORTER_QUEUE];
    }
    return count;
}

static void
drop_body(struct otlp_exporter *exporter)
{
    free(exporter->body);
    exporter->body = NULL;
}

/* An event_loop_timer_handler. */
static void
send_batch(void *context)
{
    struct otlp_exporter *exporter = context;
    char *spans[OTLP_EXPORTER_BATCH];
    size_t len = 0;

    exporter->sent = gather(exporter, spans);
    exporter->body =
        otlp_span_request(spans, exporter->sent, exporter->instance, &len);
    if (exporter->body == NULL ||
        otlp_request_prepare(exporter->request, exporter->body, len) != 0 ||
        curl_loop_start(exporter->transfers,
                        otlp_request_easy(exporter->request), WHO) != 0) {
        drop_body(exporter);
        fail(exporter, "no memory to start", 0);
    }
}

/* How long a smaller batch waits for more spans. */
static int64_t
batch_delay_ms(const struct otlp_exporter *exporter)
{
    return exporter->flushing || exporter->count >= OTLP_EXPORTER_BATCH
               ? 0
               : OTLP_EXPORTER_DELAY_MS;
}

/* The request has been taken. */
static void
note_taken(struct otlp_exporter *exporter, const struct otlp_result *result)
{
    size_t rejected =
        (size_t)int64_clamp(result->rejected, 0, (int64_t)exporter->sent);

    metrics_count_spans(exporter->metrics, METRICS_SPANS_REJECTED, rejected);
    metrics_count_spans(exporter->metrics, METRICS_SPANS_EXPORTED,
                        exporter->sent - rejected);
    log_throttle_over(&exporter->trouble, WHO);
    if (rejected == 0) {
        (void)log_throttle_end(&exporter->rejection);
    } else if (log_throttle_due(&exporter->rejection, result->why)) {
        log_warn(WHO ": %s", result->why);
    }
    if (log_throttle_end(&exporter->full)) {
        log_info(WHO ": the queue has room again");
    }
}

/* The end of a transfer. A curl_loop_ended. */
static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct otlp_exporter *exporter = context;
    struct otlp_result result;

    if (otlp_request_is_to_renew(exporter->request, code) &&
        curl_loop_start(exporter->transfers, easy, WHO) == 0) {
        return;
    }
    otlp_request_result(exporter->request, code, &result);
    drop_body(exporter);
    switch (result.outcome) {
    case OTLP_RETRY:
        fail(exporter, result.why, result.retry_after_ms);
        return;
    case OTLP_REFUSED:
        metrics_count_spans(exporter->metrics, METRICS_SPANS_REJECTED,
                            exporter->sent);
        if (log_throttle_due(&exporter->trouble, result.why)) {
            log_warn(WHO ": the receiver refuses spans: %s", result.why);
        }
        break;
    case OTLP_TAKEN:
        note_taken(exporter, &result);
        break;
    }
    exporter->failures = 0;
    pop(exporter, exporter->sent);
    plan(exporter, batch_delay_ms(exporter));
}

/* The time for a flush is over. */
static void
on_deadline(void *context)
{
    struct otlp_exporter *exporter = context;

    if (exporter->body != NULL) {
        curl_loop_stop(exporter->transfers,
                       otlp_request_easy(exporter->request), WHO);
        drop_body(exporter);
    }
    end_flush(exporter);
}

struct otlp_exporter *
otlp_exporter_open(const char *endpoint, struct event_loop *loop,
                   struct metrics *metrics)
{
    struct otlp_exporter *exporter = calloc(1, sizeof(*exporter));
    char host[HOST_NAME_SIZE];

    if (exporter == NULL) {
        return NULL;
    }
    host_name(host);
    snprintf(exporter->instance, sizeof(exporter->instance), "%s:%ld", host,
             (long)getpid());
    exporter->loop = loop;
    exporter->metrics = metrics;
    exporter->timer.handler = send_batch;
    exporter->timer.context = exporter;
    exporter->deadline.handler = on_deadline;
    exporter->deadline.context = exporter;
    exporter->transfers = curl_loop_open(loop, 1, on_ended, exporter);
    exporter->request = otlp_request_open(endpoint);
    if (exporter->transfers == NULL || exporter->request == NULL) {
        otlp_exporter_close(exporter);
        return NULL;
    }
    return exporter;
}

void
otlp_exporter_close(struct otlp_exporter *exporter)
{
    if (exporter == NULL) {
        return;
    }
    if (exporter->body != NULL) {
        curl_loop_stop(exporter->transfers,
                       otlp_request_easy(exporter->request), WHO);
    }
    event_loop_disarm(exporter->loop, &exporter->timer);
    event_loop_disarm(exporter->loop, &exporter->deadline);
    pop(exporter, exporter->count);
    drop_body(exporter);
    otlp_request_close(exporter->request);
    curl_loop_close(exporter->transfers);
    free(exporter);
}

bool
otlp_exporter_has_room(const struct otlp_exporter *exporter)
{
    return exporter->count < OTLP_EXPORTER_QUEUE;
}

void
otlp_exporter_add(struct otlp_exporter *exporter, char *span)
{
    size_t place = (exporter->first + exporter->count) % OTLP_EXPORTER_QUEUE;

    if (span == NULL || !otlp_exporter_has_room(exporter)) {
        metrics_count_spans(exporter->metrics, METRICS_SPANS_DROPPED, 1);
        if (log_throttle_due(&exporter->full, "")) {
            log_warn(WHO ": the queue is full, and further spans are dropped");
        }
        free(span);
        return;
    }
    exporter->ring[place] = span;
    exporter->count++;
    /* After a failure the timer is armed for the next try. */
    if (exporter->body == NULL && exporter->failures == 0 &&
        (!exporter->timer.armed || exporter->count == OTLP_EXPORTER_BATCH)) {
        event_loop_arm(exporter->loop, &exporter->timer,
                       batch_delay_ms(exporter));
    }
}

void
otlp_exporter_flush(struct otlp_exporter *exporter, void (*done)(void *context),
                    void *context)
{
    exporter->flushing = true;
    exporter->done = done;
    exporter->context = context;
    event_loop_arm(exporter->loop, &exporter->deadline, OTLP_EXPORTER_FLUSH_MS);
    if (exporter->body == NULL) {
        plan(exporter, 0);
    }
}
