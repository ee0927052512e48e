/*
 * One request at a time to an OTLP receiver: a libcurl handle with its
 * settings, and the verdict on its response. It starts no transfer: see
 * otlp_exporter.c.
 *
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
#ifndef OTLP_REQUEST_H
#define OTLP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OTLP_REQUEST_WHY_SIZE = 512 };

struct otlp_request;

enum otlp_outcome {
    OTLP_TAKEN,   /* status 2xx, whatever the body does */
    OTLP_RETRY,   /* 429, 502, 503, 504, or no response: send it again */
    OTLP_REFUSED, /* any other status: sending it again is vain */
};

/* What became of a request. */
struct otlp_result {
    enum otlp_outcome outcome;
    int64_t rejected;       /* spans that the receiver did not take, of a
                               request that it took (partialSuccess) */
    int64_t retry_after_ms; /* of the Retry-After header; 0: none */
    char why[OTLP_REQUEST_WHY_SIZE]; /* not taken, or in part: why; else "" */
};

/*
 * Why text can't be otlp.endpoint; NULL: it can. A URL of http or https with
 * host, port and path alone.
 */
const char *otlp_request_problem(const char *text);

/*
 * endpoint is otlp.endpoint, borrowed for the call: "/v1/traces" is appended,
 * unless it ends so. NULL: no memory.
 */
struct otlp_request *otlp_request_open(const char *endpoint);

/* Not while its transfer is under way. */
void otlp_request_close(struct otlp_request *request);

/* Makes the handle ready to send body[0..len), which is borrowed until the
   transfer has ended. 0, or -1: no memory. */
int otlp_request_prepare(struct otlp_request *request, const char *body,
                         size_t len);

CURL *otlp_request_easy(const struct otlp_request *request);

/* True if the transfer, which ended with code, is to be started again at once:
   see socket_guard_is_to_renew. */
bool otlp_request_is_to_renew(struct otlp_request *request, CURLcode code);

/* Judges the transfer, which ended with code. */
void otlp_request_result(const struct otlp_request *request, CURLcode code,
                         struct otlp_result *result);

#endif
