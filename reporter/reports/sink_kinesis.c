/*
 * sink_kinesis: puts each window's record into a Kinesis stream, at least once
 * and in order, with the window's start as partition key. One PutRecord runs at
 * a time, so that a failure cannot change the order. A failure that may pass by
 * itself is retried after growing waits, any other one after a long wait.
 */
#define _GNU_SOURCE /* asprintf */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    bool busy;      /* a request is running */
    int64_t sent_s; /* start of the request's window */
    int failures;   /* in a row */
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
    if (result != KINESIS_STORED) {
        fail(kinesis, result);
        return;
    }
    kinesis->failures = 0;
    sink->events.delivered(sink->events.context, kinesis->sent_s);
}

static void
kinesis_offer(struct sink *sink, const struct window_record *records,
              size_t count)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);

    (void)count; /* 1: see sink_kinesis below */
    if (kinesis_client_prepare(kinesis->client, &records[0], sink->error) < 0) {
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
    kinesis->sent_s = records[0].start_s;
}

static void
kinesis_drop(struct sink *sink)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);

    if (kinesis->busy) {
        curl_loop_stop(kinesis->transfers, kinesis_client_easy(kinesis->client),
                       SHARE);
        kinesis->busy = false;
    }
}

static void
kinesis_close(struct sink *sink)
{
    struct kinesis_sink *kinesis = kinesis_of(sink);

    kinesis_drop(sink);
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
    if (kinesis->sink.name == NULL || kinesis->transfers == NULL ||
        kinesis->client == NULL) {
        kinesis_close(&kinesis->sink);
        return NULL;
    }
    return &kinesis->sink;
}

/* Whether all of text is visible ASCII, so that a header can hold it. */
static bool
is_visible(const char *text)
{
    while (*text > 0x20 && *text < 0x7f) {
        text++;
    }
    return *text == '\0';
}

static int
check_credential(const char *name, bool needed, char why[SINK_WHY_SIZE])
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis: " KINESIS_ACCESS_KEY " and " KINESIS_SECRET_KEY
                 " have to be in the environment");
        return needed ? -1 : 0;
    }
    if (!is_visible(value)) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis: %s has a blank, a newline or a byte outside ASCII",
                 name);
        return -1;
    }
    return 0;
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
   has no path, and credentials are in the environment. */
static bool
is_endpoint(const char *text)
{
    CURLU *url = curl_url();
    bool result = url != NULL && is_visible(text) &&
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

    if (check_credential(KINESIS_ACCESS_KEY, true, why) < 0 ||
        check_credential(KINESIS_SECRET_KEY, true, why) < 0 ||
        check_credential(KINESIS_SESSION_TOKEN, false, why) < 0) {
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
};
