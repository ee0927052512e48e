/*
 * otlp_request: all that is asked of libcurl for an OTLP receiver. The receiver
 * is the operator's choice, so the address policy of callbacks does not apply.
 * The proxy variables of the environment are ignored, as for callbacks.
 */
#define _GNU_SOURCE /* asprintf */
#include "otlp_request.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "net/kept_sockets.h"
#include "net/tls.h"
#include "retry_policy.h"
#include "ssrf/socket_guard.h"
#include "store/endpoint_url.h"

#define PATH "/v1/traces"
#define RETRY_AFTER "Retry-After:"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 10000,     /* OTEL_EXPORTER_OTLP_TIMEOUT's default */
    RESPONSE_SIZE = 4096,   /* of a response's body; the rest is not kept */
    BODY_MAX_BYTES = 65536, /* the transfer is stopped if a body is longer */
    VALUE_SIZE = 64,        /* of Retry-After; a longer value is neither form */
};

struct otlp_request {
    CURL *easy;
    struct kept_sockets *kept;
    struct socket_guard guard;
    struct curl_slist *headers;
    char *url;
    int64_t retry_after_ms;
    char response[RESPONSE_SIZE];
    size_t response_len; /* bytes of it that are kept */
    size_t body_bytes;   /* that have come */
};

const char *
otlp_request_problem(const char *text)
{
    size_t len = strlen(text);

    return endpoint_url_check(text, &len) == ERROR_CODE_NONE &&
                   len == strlen(text) && strchr(text, '?') == NULL
               ? NULL
               : "is no URL http://<host>[:<port>][/<path>] (or https) without "
                 "user, query and fragment";
}

static size_t
read_header(char *bytes, size_t size, size_t count, void *context)
{
    struct otlp_request *request = context;
    size_t name = strlen(RETRY_AFTER);
    char value[VALUE_SIZE];

    if (count > name && count - name < sizeof(value) &&
        strncasecmp(bytes, RETRY_AFTER, name) == 0) {
        snprintf(value, sizeof(value), "%.*s", (int)(count - name),
                 bytes + name);
        request->retry_after_ms =
            int64_max(retry_after_ms(value, clock_wall_ms() / 1000), 0);
    }
    return size * count;
}

static size_t
read_body(char *bytes, size_t size, size_t count, void *context)
{
    struct otlp_request *request = context;
    size_t len = size_min(count, RESPONSE_SIZE - request->response_len);

    memcpy(request->response + request->response_len, bytes, len);
    request->response_len += len;
    request->body_bytes += size * count;
    return request->body_bytes > BODY_MAX_BYTES ? 0 : size * count;
}

static bool
set_text(const struct otlp_request *request, CURLoption option,
         const char *value)
{
    return curl_easy_setopt(request->easy, option, value) == CURLE_OK;
}

static bool
set_long(const struct otlp_request *request, CURLoption option, long value)
{
    return curl_easy_setopt(request->easy, option, value) == CURLE_OK;
}

static bool
set_callbacks(struct otlp_request *request)
{
    CURL *easy = request->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, read_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, read_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers) ==
               CURLE_OK &&
           socket_guard_watch(&request->guard, easy) == 0;
}

static bool
set_up(struct otlp_request *request)
{
    return set_text(request, CURLOPT_URL, request->url) &&
           set_text(request, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_text(request, CURLOPT_PROXY, "") &&
           set_long(request, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(request, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           tls_set_up(request->easy, NULL, NULL) == 0 &&
           set_long(request, CURLOPT_POST, 1) &&
           set_long(request, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) &&
           set_long(request, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) &&
           set_long(request, CURLOPT_NOSIGNAL, 1) && set_callbacks(request);
}

/* 0, or -1: no memory. */
static int
make_url(struct otlp_request *request, const char *endpoint)
{
    size_t len = strlen(endpoint);

    while (endpoint[len - 1] == '/') {
        len--;
    }
    if (asprintf(&request->url, "%.*s%s", (int)len, endpoint,
                 ends_with(endpoint, PATH) ? "" : PATH) < 0) {
        request->url = NULL; /* undefined otherwise: asprintf(3) */
    }
    return request->url == NULL ? -1 : 0;
}

/* libcurl would wait for a 100 before it sends a body; not with Expect. */
static int
make_headers(struct otlp_request *request)
{
    static const char *const texts[] = {"Content-Type: application/json",
                                        "Expect:"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct curl_slist *longer =
            curl_slist_append(request->headers, texts[i]);

        if (longer == NULL) {
            return -1;
        }
        request->headers = longer;
    }
    return 0;
}

struct otlp_request *
otlp_request_open(const char *endpoint)
{
    struct otlp_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        return NULL;
    }
    request->easy = curl_easy_init();
    request->kept = kept_sockets_open();
    if (request->easy == NULL || request->kept == NULL ||
        make_url(request, endpoint) != 0 || make_headers(request) != 0 ||
        !set_up(request)) {
        otlp_request_close(request);
        return NULL;
    }
    return request;
}

void
otlp_request_close(struct otlp_request *request)
{
    if (request != NULL) {
        curl_easy_cleanup(request->easy);
        kept_sockets_close(request->kept);
        curl_slist_free_all(request->headers);
        free(request->url);
        free(request);
    }
}

int
otlp_request_prepare(struct otlp_request *request, const char *body, size_t len)
{
    request->retry_after_ms = 0;
    request->response_len = request->body_bytes = 0;
    socket_guard_start(&request->guard, NULL, request->kept);
    return set_long(request, CURLOPT_POSTFIELDSIZE, (long)len) &&
                   set_text(request, CURLOPT_POSTFIELDS, body)
               ? 0
               : -1;
}

CURL *
otlp_request_easy(const struct otlp_request *request)
{
    return request->easy;
}

bool
otlp_request_is_to_renew(struct otlp_request *request, CURLcode code)
{
    return socket_guard_is_to_renew(&request->guard, code);
}

/* Reads partialSuccess; a body that is none of OTLP's says nothing. */
static void
read_partial(const struct otlp_request *request, struct otlp_result *result)
{
    json_t *root =
        json_loadb(request->response, request->response_len, 0, NULL);
    const json_t *partial = json_object_get(root, "partialSuccess");
    const json_t *rejected = json_object_get(partial, "rejectedSpans");
    const char *message =
        json_string_value(json_object_get(partial, "errorMessage"));

    /* A 64-bit integer is a string in JSON, but a number is allowed, too. */
    result->rejected = json_is_string(rejected)
                           ? strtoll(json_string_value(rejected), NULL, 10)
                           : json_integer_value(rejected);
    if (result->rejected > 0) {
        snprintf(result->why, sizeof(result->why),
                 "the receiver rejected spans: %.256s",
                 message != NULL ? message : "it does not say why");
    }
    json_decref(root);
}

void
otlp_request_result(const struct otlp_request *request, CURLcode code,
                    struct otlp_result *result)
{
    long status = 0;

    *result = (struct otlp_result){.outcome = OTLP_RETRY,
                                   .retry_after_ms = request->retry_after_ms};
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        result->outcome = OTLP_TAKEN;
        read_partial(request, result);
    } else if (status < 200) {
        snprintf(result->why, sizeof(result->why), "%s",
                 curl_easy_strerror(code));
    } else {
        snprintf(result->why, sizeof(result->why), "HTTP %ld", status);
        if (status != 429 && status != 502 && status != 503 && status != 504) {
            result->outcome = OTLP_REFUSED;
        }
    }
}
