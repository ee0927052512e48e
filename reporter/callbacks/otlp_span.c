/*
 * otlp_span: each span is made a text when it ends, so that no turn of the loop
 * has to make hundreds of them.
 */
#define _GNU_SOURCE /* asprintf */
#include "otlp_span.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/version.h"

/* Values of Span.SpanKind and Status.StatusCode. */
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };
enum { STATUS_ERROR = 2 };

/* Which span of a job: makes its id another. */
enum { ACCEPT = 1, QUEUE = 2 };

enum { NUMBER_SIZE = 24 };

/* The id of a span that each reporter must name alike. */
static void
write_span_id(char span_id[TRACE_CONTEXT_SPAN_ID_SIZE], const struct job *job,
              uint64_t which)
{
    snprintf(span_id, TRACE_CONTEXT_SPAN_ID_SIZE, "%016" PRIx64,
             fnv1a(which, job->id));
}

static json_t *
number_text(int64_t number)
{
    char text[NUMBER_SIZE];

    snprintf(text, sizeof(text), "%" PRId64, number);
    return json_string(text);
}

/* Milliseconds as nanoseconds. */
static json_t *
time_text(int64_t ms)
{
    char text[NUMBER_SIZE + 6];

    snprintf(text, sizeof(text), "%" PRId64 "000000", ms);
    return json_string(text);
}

/* json_array_append_new accepts the NULL of a failure. */
static void
add_text(json_t *attributes, const char *key, const char *value)
{
    (void)json_array_append_new(
        attributes,
        json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value));
}

static void
add_number(json_t *attributes, const char *key, int64_t value)
{
    (void)json_array_append_new(attributes,
                                json_pack("{s:s, s:{s:o}}", "key", key, "value",
                                          "intValue", number_text(value)));
}

/* What a span is made of; attributes is taken over. */
struct span {
    const struct job *job;
    const char *span_id;
    const char *parent_id;
    const char *name;
    int kind;
    int64_t start_ms; /* since the Unix epoch */
    int64_t end_ms;
    json_t *attributes;
    bool failed;
};

static char *
write_span(const struct span *span)
{
    const struct trace_context *trace = span->job->trace;
    char trace_id[TRACE_CONTEXT_TRACE_ID_SIZE];
    json_t *root;
    char *text;

    trace_context_trace_id(trace, trace_id);
    add_text(span->attributes, "verve.job.id", span->job->id);
    root = json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "traceId",
                     trace_id, "spanId", span->span_id, "parentSpanId",
                     span->parent_id, "name", span->name, "kind", span->kind,
                     "startTimeUnixNano", time_text(span->start_ms),
                     "endTimeUnixNano",
                     time_text(int64_max(span->end_ms, span->start_ms)),
                     "attributes", span->attributes);
    if (trace->tracestate[0] != '\0') {
        (void)json_object_set_new(root, "traceState",
                                  json_string(trace->tracestate));
    }
    if (span->failed) {
        (void)json_object_set_new(root, "status",
                                  json_pack("{s:i}", "code", STATUS_ERROR));
    }
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

char *
otlp_span_accept(const struct job *job)
{
    char span_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    char parent_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    struct span span = {.job = job,
                        .span_id = span_id,
                        .parent_id = parent_id,
                        .name = "verve accept",
                        .kind = KIND_SERVER,
                        .start_ms = job->at_ms,
                        .end_ms = job->at_ms,
                        .attributes = json_array()};

    write_span_id(span_id, job, ACCEPT);
    trace_context_span_id(job->trace, parent_id);
    add_text(span.attributes, "http.route", "/api/verve/accept");
    add_number(span.attributes, "verve.unique_request_count", job->count);
    return write_span(&span);
}

char *
otlp_span_queue(const struct job *job, int64_t until_ms)
{
    char span_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    char parent_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    struct span span = {.job = job,
                        .span_id = span_id,
                        .parent_id = parent_id,
                        .name = "verve queue",
                        .kind = KIND_INTERNAL,
                        .start_ms = job->at_ms,
                        .end_ms = until_ms,
                        .attributes = json_array()};

    write_span_id(span_id, job, QUEUE);
    write_span_id(parent_id, job, ACCEPT);
    return write_span(&span);
}

/* The port is behind the last colon; an IPv6 address is in brackets. */
static void
add_server(json_t *attributes, const char *host)
{
    const char *colon = strrchr(host, ':');
    size_t len = colon == NULL ? strlen(host) : (size_t)(colon - host);
    char *address;

    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    address = strndup(host, len);
    if (address != NULL) {
        add_text(attributes, "server.address", address);
        free(address);
    }
    if (colon != NULL) {
        add_number(attributes, "server.port", strtol(colon + 1, NULL, 10));
    }
}

/* The endpoint without its query, which may have a secret. */
static void
add_url(json_t *attributes, const char *url)
{
    char *text = strndup(url, strcspn(url, "?"));

    if (text != NULL) {
        add_text(attributes, "url.full", text);
        free(text);
    }
}

static void
add_result(json_t *attributes, const struct callback_log_line *line)
{
    char status[NUMBER_SIZE];

    if (line->status != 0) {
        add_number(attributes, "http.response.status_code", line->status);
    }
    if (line->next != JOB_DELIVERED) {
        snprintf(status, sizeof(status), "%ld", line->status);
        add_text(attributes, "error.type",
                 line->status != 0 ? status : line->error);
    }
}

int64_t
otlp_span_began_ms(const struct callback_log_line *line)
{
    return job_now_ms(line->job) - line->duration_ms;
}

char *
otlp_span_attempt(const struct callback_log_line *line, const char *span_id,
                  enum callback_method method)
{
    const struct job *job = line->job;
    char parent_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    struct span span = {.job = job,
                        .span_id = span_id,
                        .parent_id = parent_id,
                        .name = method == CALLBACK_GET ? "GET" : "POST",
                        .kind = KIND_CLIENT,
                        .start_ms = otlp_span_began_ms(line),
                        .end_ms = job_now_ms(job),
                        .attributes = json_array(),
                        .failed = line->next != JOB_DELIVERED};

    if (job->at_ms != 0) {
        write_span_id(parent_id, job, ACCEPT);
    } else { /* there is no span of the acceptance */
        trace_context_span_id(job->trace, parent_id);
    }
    add_text(span.attributes, "http.request.method", span.name);
    add_url(span.attributes, job->url);
    add_server(span.attributes, line->host);
    add_result(span.attributes, line);
    if (job->attempts > 0) {
        add_number(span.attributes, "http.request.resend_count", job->attempts);
    }
    return write_span(&span);
}

/* The text in front of the spans, malloc'd. NULL: no memory. */
static char *
request_head(const char *instance)
{
    static const char tail[] =
        ",\"scopeSpans\":[{\"scope\":{\"name\":\"verve\","
        "\"version\":\"" VERVE_VERSION "\"},\"spans\":[";
    json_t *attributes = json_array();
    json_t *resource;
    char *text = NULL, *head = NULL;

    add_text(attributes, "service.name", "verve");
    add_text(attributes, "service.version", VERVE_VERSION);
    add_text(attributes, "service.instance.id", instance);
    resource = json_pack("{s:o}", "attributes", attributes);
    text = resource == NULL ? NULL : json_dumps(resource, JSON_COMPACT);
    json_decref(resource);
    if (text != NULL &&
        asprintf(&head, "{\"resourceSpans\":[{\"resource\":%s%s", text, tail) <
            0) {
        head = NULL; /* undefined otherwise: asprintf(3) */
    }
    free(text);
    return head;
}

char *
otlp_span_request(char *const *spans, size_t count, const char *instance,
                  size_t *len)
{
    static const char end[] = "]}]}]}";
    char *head = request_head(instance);
    size_t size = head == NULL ? 0 : strlen(head) + sizeof(end);
    char *text, *to;

    for (size_t i = 0; i < count; i++) {
        size += strlen(spans[i]) + 1;
    }
    text = head == NULL ? NULL : malloc(size);
    if (text != NULL) {
        to = stpcpy(text, head);
        for (size_t i = 0; i < count; i++) {
            to = stpcpy(stpcpy(to, i == 0 ? "" : ","), spans[i]);
        }
        *len = (size_t)(stpcpy(to, end) - text);
    }
    free(head);
    return text;
}
