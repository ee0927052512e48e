/*
 * attempt: all that we ask of libcurl, in one place. The headers and the body
 * are the attempt's own, as libcurl borrows them until the end of a transfer:
 * preparing one takes memory for its URL and its addresses only.
 */
#define _GNU_SOURCE /* asprintf */
#include "http_call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "headers.h"
#include "net/tls.h"
#include "receipt.h"
#include "ssrf/socket_guard.h"

struct http_call {
    CURL *easy;
    const struct settings *settings;
    struct headers *headers;
    struct job *job; /* NULL: idle */
    struct destination_ticket ticket;
    struct dns_cache_wait wait;
    struct payload_target target;
    struct curl_slist resolved; /* what libcurl need not look up; data: ours */
    int64_t started_ms;         /* monotonic */
    struct receipt receipt;
    struct socket_guard guard;
    char body[]; /* payload_body_size bytes */
};

/* Returning less than was given ends the transfer. */
static size_t
take_head(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len = size * count;

    return receipt_head(&call->receipt, bytes, len) ? len : 0;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len = size * count;

    (void)bytes;
    return receipt_body(&call->receipt, len) ? len : 0;
}

/*
 * libcurl asks here before it looks a host up by itself, in a thread of its
 * own: only an address, which needs none, comes this far. Not 0: refused.
 */
static int
before_lookup(void *state, void *reserved, void *context)
{
    const struct http_call *call = context;

    (void)state;
    (void)reserved;
    return call->target.name != NULL;
}

static bool
set_long(const struct http_call *call, CURLoption option, int64_t value)
{
    return curl_easy_setopt(call->easy, option, (long)value) == CURLE_OK;
}

static bool
set_text(const struct http_call *call, CURLoption option, const char *value)
{
    return curl_easy_setopt(call->easy, option, value) == CURLE_OK;
}

static bool
set_pointer(const struct http_call *call, CURLoption option, void *value)
{
    return curl_easy_setopt(call->easy, option, value) == CURLE_OK;
}

/* What keeps a receiver, or the environment, from leading us elsewhere. */
static bool
set_bounds(const struct http_call *call)
{
    return set_text(call, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(call, CURLOPT_PROXY, "") &&
           set_long(call, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(call, CURLOPT_HTTP_CONTENT_DECODING, 0) &&
           set_long(call, CURLOPT_HTTP_TRANSFER_DECODING, 0) &&
           tls_set_up(call->easy) == 0 &&
           set_long(call, CURLOPT_CONNECTTIMEOUT_MS,
                    call->settings->options->callbacks.connect_timeout_ms) &&
           set_long(call, CURLOPT_NOSIGNAL, 1);
}

static bool
set_form(const struct http_call *call)
{
    bool post = call->settings->payload.method == CALLBACK_POST;

    return set_text(call, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_long(call, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(call, CURLOPT_PATH_AS_IS, 1) &&
           set_long(call, post ? CURLOPT_POST : CURLOPT_HTTPGET, 1) &&
           set_pointer(call, CURLOPT_HTTPHEADER, headers_list(call->headers));
}

static bool
set_context(struct http_call *call)
{
    return set_pointer(call, CURLOPT_PRIVATE, call) &&
           set_pointer(call, CURLOPT_HEADERDATA, call) &&
           set_pointer(call, CURLOPT_WRITEDATA, call) &&
           set_pointer(call, CURLOPT_RESOLVER_START_DATA, call);
}

static bool
set_callbacks(struct http_call *call)
{
    CURL *easy = call->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION,
                            before_lookup) == CURLE_OK &&
           socket_guard_watch(&call->guard, easy) == 0;
}

struct http_call *
http_call_open(const struct settings *settings)
{
    struct http_call *call =
        calloc(1, sizeof(*call) + payload_body_size(&settings->payload));

    if (call == NULL) {
        return NULL;
    }
    call->settings = settings;
    call->wait.context = call;
    call->headers = headers_open(settings->signature,
                                 settings->payload.method == CALLBACK_POST);
    call->easy = curl_easy_init();
    if (call->headers == NULL || call->easy == NULL || !set_bounds(call) ||
        !set_form(call) || !set_context(call) || !set_callbacks(call)) {
        http_call_close(call);
        return NULL;
    }
    return call;
}

void
http_call_close(struct http_call *call)
{
    if (call != NULL) {
        curl_easy_cleanup(call->easy);
        headers_close(call->headers);
        payload_target_fini(&call->target);
        free(call->resolved.data);
        free(call);
    }
}

/* Writes what is sent, and signs it: the body, or where the GET goes. */
static bool
compose(struct http_call *call)
{
    const struct payload *payload = &call->settings->payload;
    const struct job *job = call->job;
    size_t len;

    if (payload->method == CALLBACK_GET) {
        const char *path = call->target.path;

        return headers_address(call->headers, job, path, strlen(path)) == 0;
    }
    len = payload_body(payload, job->count, call->body,
                       payload_body_size(payload));
    return headers_address(call->headers, job, call->body, len) == 0 &&
           set_long(call, CURLOPT_POSTFIELDSIZE, (int64_t)len) &&
           set_text(call, CURLOPT_POSTFIELDS, call->body);
}

int
http_call_prepare(struct http_call *call, struct job *job,
                  const struct destination_ticket *ticket)
{
    payload_target_fini(&call->target);
    call->job = job;
    call->ticket = *ticket;
    call->started_ms = clock_mono_ms();
    call->receipt = (struct receipt){0};
    socket_guard_start(&call->guard, call->settings->policy,
                       call->settings->kept);
    if (payload_target(&call->settings->payload, job->url, job->count,
                       &call->target) != 0) {
        return -1;
    }
    return set_text(call, CURLOPT_URL, call->target.url) && compose(call) ? 0
                                                                          : -1;
}

const char *
http_call_name(const struct http_call *call)
{
    return call->target.name;
}

/* The "+" lets libcurl forget it after a while. */
int
http_call_resolve(struct http_call *call, const char *addresses)
{
    int64_t left_ms = call->settings->options->callbacks.timeout_ms -
                      http_call_duration_ms(call);
    struct curl_slist *resolved = NULL;

    free(call->resolved.data);
    call->resolved.data = NULL;
    if (addresses != NULL) {
        if (asprintf(&call->resolved.data, "+%s:%s", call->target.host,
                     addresses) < 0) {
            call->resolved.data = NULL;
            return -1;
        }
        resolved = &call->resolved;
    }
    return set_pointer(call, CURLOPT_RESOLVE, resolved) &&
                   set_long(call, CURLOPT_TIMEOUT_MS, left_ms > 1 ? left_ms : 1)
               ? 0
               : -1;
}

bool
http_call_is_to_renew(struct http_call *call, CURLcode code)
{
    return socket_guard_is_to_renew(&call->guard, code);
}

struct job *
http_call_release(struct http_call *call)
{
    struct job *job = call->job;

    dns_cache_cancel(&call->wait);
    call->job = NULL;
    return job;
}

CURL *
http_call_easy(const struct http_call *call)
{
    return call->easy;
}

struct http_call *
http_call_of(CURL *easy)
{
    char *call = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    return (struct http_call *)call;
}

const struct job *
http_call_job(const struct http_call *call)
{
    return call->job;
}

const struct destination_ticket *
http_call_ticket(const struct http_call *call)
{
    return &call->ticket;
}

struct dns_cache_wait *
http_call_wait(struct http_call *call)
{
    return &call->wait;
}

const char *
http_call_host(const struct http_call *call)
{
    return call->target.host;
}

const char *
http_call_refusal(const struct http_call *call)
{
    return socket_guard_refusal(&call->guard);
}

int64_t
http_call_duration_ms(const struct http_call *call)
{
    return clock_mono_ms() - call->started_ms;
}

struct retry_policy_facts
http_call_facts(const struct http_call *call, CURLcode code)
{
    struct retry_policy_facts facts = {
        .code = code,
        .refused = http_call_refusal(call)[0] != '\0',
        .no_resources = socket_guard_no_resources(&call->guard, code),
        .head_cut = call->receipt.head_cut,
        .body_cut = call->receipt.body_cut,
        .retry_after_ms = call->receipt.retry_after_ms,
        .attempts = call->job->attempts,
        .returned = call->job->returned,
        .random = arc4random(),
    };

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &facts.status);
    return facts;
}
