/*
 * sink_kinesis: one PutRecord at a time on the daemon's loop, so that no
 * failure can put windows out of order. What passes by itself is tried again
 * after growing waits, what does not after a long one.
 */
#define _GNU_SOURCE /* asprintf */
#include "sink_kinesis.h"

#include <stdio.h>
#include <stdlib.h>

#include "kinesis_client.h"
#include "net/curl_loop.h"

#define TO "kinesis" /* all requests share connections */

enum {
    WAIT_MAX_MS = 32000,     /* between attempts at what passes by itself */
    WAIT_REFUSED_MS = 15000, /* and at what does not */
};

struct kinesis {
    struct sink sink; /* first: a sink is a kinesis */
    struct curl_loop *transfers;
    struct kinesis_request *request;
    bool busy;      /* the request is under way */
    int64_t sent_s; /* the window that it is of */
    int failures;   /* in a row */
};

static struct kinesis *
kinesis_of(struct sink *sink)
{
    return (struct kinesis *)sink;
}

/* Doubled with each failure, and up to as much again at random. */
static int64_t
growing_wait_ms(const struct kinesis *kinesis)
{
    int64_t wait_ms = SINK_WAIT_MS;

    for (int i = 1; i < kinesis->failures && wait_ms < WAIT_MAX_MS / 2; i++) {
        wait_ms *= 2;
    }
    return wait_ms + arc4random_uniform((uint32_t)wait_ms);
}

static void
fail(struct kinesis *kinesis, enum kinesis_verdict verdict, const char *why)
{
    struct sink *sink = &kinesis->sink;
    int64_t wait_ms = WAIT_REFUSED_MS;

    kinesis->failures++;
    if (verdict == KINESIS_BUSY) {
        wait_ms = growing_wait_ms(kinesis);
    }
    if (kinesis_client_skewed(kinesis->request)) {
        wait_ms = SINK_WAIT_MS;
    }
    snprintf(sink->error, sizeof(sink->error), "%s", why);
    sink->events.failed(sink->events.context, wait_ms);
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct kinesis *kinesis = context;
    struct sink *sink = &kinesis->sink;
    enum kinesis_verdict verdict;
    char why[KINESIS_WHY_SIZE];

    if (kinesis_client_is_to_renew(kinesis->request, code) &&
        curl_loop_start(kinesis->transfers, easy, TO) == 0) {
        return;
    }
    kinesis->busy = false;
    verdict = kinesis_client_verdict(kinesis->request, code, why);
    if (verdict != KINESIS_TAKEN) {
        fail(kinesis, verdict, why);
        return;
    }
    kinesis->failures = 0;
    sink->events.delivered(sink->events.context, kinesis->sent_s);
}

static void
kinesis_offer(struct sink *sink, const struct window_record *records,
              size_t count)
{
    struct kinesis *kinesis = kinesis_of(sink);

    (void)count; /* 1: see sink_kinesis below */
    if (kinesis_client_prepare(kinesis->request, &records[0]) < 0 ||
        curl_loop_start(kinesis->transfers,
                        kinesis_client_easy(kinesis->request), TO) < 0) {
        fail(kinesis, KINESIS_BUSY, "no memory to start");
        return;
    }
    kinesis->busy = true;
    kinesis->sent_s = records[0].start_s;
}

static void
kinesis_drop(struct sink *sink)
{
    struct kinesis *kinesis = kinesis_of(sink);

    curl_loop_stop(kinesis->transfers, kinesis_client_easy(kinesis->request),
                   TO);
    kinesis->busy = false;
}

static void
kinesis_close(struct sink *sink)
{
    struct kinesis *kinesis = kinesis_of(sink);

    if (kinesis->busy) {
        kinesis_drop(sink);
    }
    kinesis_client_close(kinesis->request);
    curl_loop_close(kinesis->transfers);
    free(sink->name);
    free(sink);
}

static struct sink *
kinesis_open(const struct options *options, struct event_loop *loop,
             const struct sink_events *events)
{
    struct kinesis *kinesis = calloc(1, sizeof(*kinesis));

    if (kinesis == NULL) {
        return NULL;
    }
    kinesis->sink.type = &sink_kinesis;
    kinesis->sink.events = *events;
    if (asprintf(&kinesis->sink.name, "kinesis:%s", options->kinesis.stream) <
        0) {
        kinesis->sink.name = NULL; /* else it is undefined: asprintf(3) */
    }
    kinesis->transfers = curl_loop_open(loop, 1, on_ended, kinesis);
    kinesis->request = kinesis_client_open(options);
    if (kinesis->sink.name == NULL || kinesis->transfers == NULL ||
        kinesis->request == NULL) {
        kinesis_close(&kinesis->sink);
        return NULL;
    }
    return &kinesis->sink;
}

const struct sink_type sink_kinesis = {
    .kind = SINK_KINESIS,
    .most = 1,
    .check = kinesis_client_check,
    .open = kinesis_open,
    .close = kinesis_close,
    .offer = kinesis_offer,
    .drop = kinesis_drop,
};
