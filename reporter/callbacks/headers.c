/*
 * headers: the texts of all headers and the nodes of their list are in one
 * block of memory, so that headers_write allocates nothing.
 */
#include "headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rfc3339.h"

#define WEBHOOK_SIGNATURE_HEADER "webhook-signature: "

enum {
    HEADER_SIZE = 96,
    TRACESTATE_SIZE =
        sizeof("tracestate: ") + TRACE_CONTEXT_TRACESTATE_MAX_BYTES,
};

/* Those from CONTENT_TYPE on may be left out. */
enum header {
    ID,
    TIMESTAMP,
    WINDOW,
    LOOP_GUARD,
    EXPECT,
    CONTENT_TYPE,
    TRACEPARENT,
    REQUEST_ID,
    HEADERS
};

struct headers {
    const struct webhook_signature *signature; /* NULL: none */
    bool has_body;
    char headers[HEADERS][HEADER_SIZE];
    char tracestate_header[TRACESTATE_SIZE];
    struct curl_slist list[HEADERS + 2];
    size_t listed;           /* how many of list are used */
    char signature_header[]; /* webhook-signature, name and value */
};

static void
set_header(struct headers *headers, enum header header, const char *name,
           const char *value)
{
    snprintf(headers->headers[header], HEADER_SIZE, "%s:%s%s", name,
             value[0] == '\0' ? "" : " ", value);
}

/* Puts a header at the end of the list. */
static void
append(struct headers *headers, char *text)
{
    struct curl_slist *list = headers->list;

    if (headers->listed > 0) {
        list[headers->listed - 1].next = &list[headers->listed];
    }
    list[headers->listed++] = (struct curl_slist){.data = text};
}

/* Appends the headers that the request of the client came with. */
static void
append_trace(struct headers *headers, const struct trace_context *trace,
             const char *span_id)
{
    char traceparent[TRACE_CONTEXT_TRACEPARENT_SIZE];

    if (trace->traceparent[0] != '\0') {
        trace_context_child(trace, span_id, traceparent);
        set_header(headers, TRACEPARENT, "traceparent", traceparent);
        append(headers, headers->headers[TRACEPARENT]);
    }
    if (trace->tracestate[0] != '\0') {
        snprintf(headers->tracestate_header, TRACESTATE_SIZE, "tracestate: %s",
                 trace->tracestate);
        append(headers, headers->tracestate_header);
    }
    if (trace->request_id[0] != '\0') {
        set_header(headers, REQUEST_ID, "X-Request-Id", trace->request_id);
        append(headers, headers->headers[REQUEST_ID]);
    }
}

/* Lists the headers of a job. */
static void
make_list(struct headers *headers, const struct job *job, const char *span_id)
{
    headers->listed = 0;
    for (size_t i = 0; i < (headers->has_body ? TRACEPARENT : CONTENT_TYPE);
         i++) {
        append(headers, headers->headers[i]);
    }
    if (headers->signature != NULL) {
        append(headers, headers->signature_header);
    }
    if (job->trace != NULL) {
        append_trace(headers, job->trace, span_id);
    }
}

struct headers *
headers_open(const struct webhook_signature *signature, bool has_body)
{
    size_t size = signature == NULL ? 0
                                    : sizeof(WEBHOOK_SIGNATURE_HEADER) +
                                          webhook_signature_size(signature);
    struct headers *headers = calloc(1, sizeof(*headers) + size);

    if (headers == NULL) {
        return NULL;
    }
    headers->signature = signature;
    headers->has_body = has_body;
    set_header(headers, LOOP_GUARD, "Verve-Callback", "1");
    set_header(headers, EXPECT, "Expect", ""); /* libcurl sends none */
    set_header(headers, CONTENT_TYPE, "Content-Type", "application/json");
    return headers;
}

void
headers_close(struct headers *headers)
{
    free(headers);
}

static int
sign(struct headers *headers, const struct webhook_signature_input *input)
{
    int len =
        sprintf(headers->signature_header, "%s", WEBHOOK_SIGNATURE_HEADER);

    return webhook_signature_make(headers->signature, input,
                                  headers->signature_header + len);
}

int
headers_write(struct headers *headers, const struct job *job,
              const char *span_id, const char *content, size_t len)
{
    struct webhook_signature_input input = {
        .id = job->id,
        .timestamp_s = job_now_ms(job) / 1000,
        .content = content,
        .content_len = len,
    };
    char text[RFC3339_SIZE];

    set_header(headers, ID, "webhook-id", job->id);
    snprintf(text, sizeof(text), "%" PRId64, input.timestamp_s);
    set_header(headers, TIMESTAMP, "webhook-timestamp", text);
    rfc3339_format(text, job->window_s);
    set_header(headers, WINDOW, "Verve-Window", text);
    make_list(headers, job, span_id);
    return headers->signature == NULL ? 0 : sign(headers, &input);
}

struct curl_slist *
headers_list(struct headers *headers)
{
    return headers->list;
}
