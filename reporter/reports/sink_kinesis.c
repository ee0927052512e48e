/*
 * sink_kinesis: puts each window's record into a Kinesis stream, at least once
 * and in order, with the window's start as partition key. One PutRecord runs at
 * a time, so that a failure cannot change the order. A failure that may pass by
 * itself is retried after growing waits, any other one after a long wait.
 *
 * A record waits for credentials only if there are none that may be used, or if
 * some are being fetched. If AWS does not know the credentials of a request,
 * they are fetched anew, and if others come, the record is sent again at once.
 */
#define _GNU_SOURCE /* asprintf */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_chain.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "base/util.h"
#include "kinesis_client.h"
#include "net/curl_loop.h"
#include "sinks.h"

#define SHARE "kinesis" /* all requests share one pool of connections */

enum {
    RETRY_MAX_MS = 32000, /* the longest wait after KINESIS_RETRY, unjittered */
    REFUSED_MS = 15000,   /* the wait after KINESIS_REFUSED */
};

struct kinesis_sink {
    struct sink sink; /* first: a struct sink is cast to this */
    struct curl_loop *transfers;
    struct kinesis_client *client;
    struct aws_chain *chain;
    struct log_throttle fetch_trouble;
    struct window_record record; /* that is offered */
    bool waiting;                /* the record waits for credentials */
    bool busy;                   /* a request is running */
    bool refused;                /* AWS did not know the credentials that the
                                    record was sent with */
    int failures;                /* in a row */
};

static struct kinesis_sink *
kinesis_of(struct sink *sink)
{
    return (struct kinesis_sink *)sink;
}

/* Exponential backoff: doubled with each failure, and up to as much again at
   random. */
static int64_t
backoff_ms(const struct kinesis_sink *kinesis)
{
    int64_t wait_ms = SINK_WAIT_MS;

    for (int i = 1; i < kinesis->failures && wait_ms < RETRY_MAX_MS / 2; i++) {
        wait_ms *= 2;
    }
    return wait_ms + (int64_t)random_below((uint64_t)wait_ms);
}

/* Reports a failure, whose reason is in sink.error. */
static void
fail(struct kinesis_sink *kinesis, enum kinesis_result result)
{
    struct sink *sink = &kinesis->sink;
    int64_t wait_ms = REFUSED_MS;

    kinesis->failures++;
    if (result == KINESIS_RETRY) {
        wait_ms = backoff_ms(kinesis);
    }
    if (kinesis_client_skewed(kinesis->client)) {
        wait_ms = SINK_WAIT_MS;
    }
    sink->events.failed(sink->events.context, wait_ms);
}

/* Sends the record with the credentials that there are. */
static void
send_record(struct kinesis_sink *kinesis)
{
    struct sink *sink = &kinesis->sink;

    if (kinesis_client_prepare(kinesis->client, &kinesis->record,
                               aws_chain_credentials(kinesis->chain),
                               sink->error) < 0) {
        fail(kinesis, KINESIS_RETRY);
        return;
    }
    if (curl_loop_start(kinesis->transfers,
                        kinesis_client_easy(kinesis->client), SHARE) < 0) {
        snprintf(sink->error, sizeof(sink->error), "no memory to start");
        fail(kinesis, KINESIS_RETRY);
        return;
    }
    kinesis->busy = true;
}

static void
fetch(struct kinesis_sink *kinesis)
{
    aws_chain_fetch(kinesis->chain, kinesis_client_skew_s(kinesis->client));
}

/* Logs the end of a fetch: where the credentials come from, and no part of
   them. */
static void
log_fetch(struct kinesis_sink *kinesis, bool fetched)
{
    const struct aws_chain *chain = kinesis->chain;
    int64_t expires_s = aws_chain_credentials(chain)->expires_s;
    char until[RFC3339_SIZE], who[SINK_WHY_SIZE];

    snprintf(who, sizeof(who), "%s: credentials", kinesis->sink.name);
    if (!fetched) {
        log_throttle_note(&kinesis->fetch_trouble, who, aws_chain_why(chain));
        return;
    }
    log_throttle_over(&kinesis->fetch_trouble, who);
    if (aws_chain_has_changed(chain) && expires_s != 0) {
        rfc3339_format(until, expires_s);
        log_info("%s from the %s, until %s", who, aws_chain_source(chain),
                 until);
    } else if (aws_chain_has_changed(chain)) {
        log_info("%s from the %s", who, aws_chain_source(chain));
    }
}

/* The record waited. Sends it, unless it was refused and would be again. */
static void
stop_waiting(struct kinesis_sink *kinesis, bool fetched)
{
    const struct aws_chain *chain = kinesis->chain;
    struct sink *sink = &kinesis->sink;

    kinesis->waiting = false;
    if (kinesis->refused && !(fetched && aws_chain_has_changed(chain))) {
        fail(kinesis, KINESIS_REFUSED); /* its reason is AWS's */
    } else if (aws_chain_state(chain) == AWS_CHAIN_NONE) {
        snprintf(sink->error, sizeof(sink->error), "there are no credentials");
        fail(kinesis, KINESIS_RETRY);
    } else {
        send_record(kinesis);
    }
}

/* An aws_chain_ended. */
static void
on_fetched(void *context, bool fetched)
{
    struct kinesis_sink *kinesis = context;

    log_fetch(kinesis, fetched);
    if (kinesis->waiting) {
        stop_waiting(kinesis, fetched);
    }
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct kinesis_sink *kinesis = context;
    struct sink *sink = &kinesis->sink;
    enum kinesis_result result;

    if (kinesis_client_is_to_renew(kinesis->client, code) &&
        curl_loop_start(kinesis->transfers, easy, SHARE) == 0) {
        return;
    }
    kinesis->busy = false;
    result = kinesis_client_result(kinesis->client, code, sink->error);
    if (result == KINESIS_UNKNOWN && !kinesis->refused &&
        !kinesis_client_skewed(kinesis->client)) {
        kinesis->refused = kinesis->waiting = true;
        fetch(kinesis);
    } else if (result != KINESIS_STORED) {
        fail(kinesis, result);
    } else {
        kinesis->failures = 0;
        sink->events.delivered(sink->events.context, kinesis->record.start_s);
    }
}

static void
kinesis_offer(struct sink *sink, const struct window_record *records,
              size_t count)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);
    enum aws_chain_state state = aws_chain_state(kinesis->chain);

    (void)count; /* 1: see sink_kinesis below */
    kinesis->record = records[0];
    kinesis->refused = false;
    kinesis->waiting =
        state == AWS_CHAIN_NONE || aws_chain_is_fetching(kinesis->chain);
    if (!kinesis->waiting) {
        send_record(kinesis);
    }
    if (state != AWS_CHAIN_GOOD && !aws_chain_is_fetching(kinesis->chain)) {
        fetch(kinesis);
    }
}

static void
kinesis_drop(struct sink *sink)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);

    kinesis->waiting = false;
    if (kinesis->busy) {
        curl_loop_stop(kinesis->transfers, kinesis_client_easy(kinesis->client),
                       SHARE);
        kinesis->busy = false;
    }
}

/* HUP: somebody may have written new credentials. */
static void
kinesis_reopen(struct sink *sink)
{
    fetch(kinesis_of(sink));
}

static void
kinesis_close(struct sink *sink)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);

    kinesis_drop(sink);
    aws_chain_close(kinesis->chain);
    kinesis_client_close(kinesis->client);
    curl_loop_close(kinesis->transfers);
    free(sink->name);
    free(sink);
}

static struct sink *
kinesis_open(const struct options *options, struct event_loop *loop,
             const struct sink_events *events)
{
    struct kinesis_sink *kinesis = calloc(1, sizeof(*kinesis));

    if (kinesis == NULL) {
        return NULL;
    }
    kinesis->sink.type = &sink_kinesis;
    kinesis->sink.events = *events;
    if (asprintf(&kinesis->sink.name, "kinesis:%s", options->kinesis.stream) <
        0) {
        kinesis->sink.name = NULL; /* undefined otherwise: asprintf(3) */
    }
    kinesis->transfers = curl_loop_open(loop, 1, on_ended, kinesis);
    kinesis->client = kinesis_client_open(options);
    kinesis->chain = aws_chain_open(loop, on_fetched, kinesis);
    if (kinesis->sink.name == NULL || kinesis->transfers == NULL ||
        kinesis->client == NULL || kinesis->chain == NULL) {
        kinesis_close(&kinesis->sink);
        return NULL;
    }
    return &kinesis->sink;
}

/* Whether a part of url is text; a part that is missing is "". */
static bool
part_is(CURLU *url, CURLUPart part, const char *text)
{
    char *value = NULL;
    CURLUcode code = curl_url_get(url, part, &value, 0);
    bool result = code != CURLUE_OUT_OF_MEMORY &&
                  strcmp(value == NULL ? "" : value, text) == 0;

    curl_free(value);
    return result;
}

/* Whether text is a URL of http or https with a host and port alone: Kinesis
   has no path, and credentials come from elsewhere. */
static bool
is_endpoint(const char *text)
{
    CURLU *url = curl_url();
    bool result = url != NULL && aws_is_visible(text) &&
                  curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) ==
                      CURLUE_OK &&
                  (part_is(url, CURLUPART_SCHEME, "http") ||
                   part_is(url, CURLUPART_SCHEME, "https")) &&
                  part_is(url, CURLUPART_PATH, "/") &&
                  part_is(url, CURLUPART_QUERY, "") &&
                  part_is(url, CURLUPART_FRAGMENT, "");

    curl_url_cleanup(url);
    return result;
}

static int
kinesis_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    const char *endpoint = options->kinesis.endpoint;
    char reasons[AWS_CHAIN_WHY_SIZE];

    if (aws_chain_check(reasons) < 0) {
        snprintf(why, SINK_WHY_SIZE, "kinesis: no credentials: %.480s",
                 reasons);
        return -1;
    }
    if (endpoint[0] != '\0' && !is_endpoint(endpoint)) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis.endpoint: \"%.200s\" is no http or https URL of "
                 "host and port alone",
                 endpoint);
        return -1;
    }
    return 0;
}

const struct sink_type sink_kinesis = {
    .kind = SINK_KINESIS,
    .most = 1,
    .check = kinesis_check,
    .open = kinesis_open,
    .close = kinesis_close,
    .offer = kinesis_offer,
    .drop = kinesis_drop,
    .reopen = kinesis_reopen,
};
