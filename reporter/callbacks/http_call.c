/*
 * http_call: all options of libcurl for callbacks are here. libcurl borrows
 * headers and body until the end of a transfer, so the call owns their memory:
 * preparing a job allocates memory only for its URL and its addresses. Of the
 * response only the status and Retry-After are kept; its size is bounded.
 */
#define _GNU_SOURCE /* asprintf */
#include "http_call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "headers.h"
#include "net/address_list.h"
#include "net/tls.h"
#include "ssrf/socket_guard.h"

#define RETRY_AFTER "Retry-After:"
#define STATUS "HTTP/" /* the begin of a status line */

enum {
    RETRY_AFTER_LEN = sizeof(RETRY_AFTER) - 1,
    STATUS_LEN = sizeof(STATUS) - 1,
    RETRY_AFTER_VALUE_SIZE = 64, /* a longer value is neither form */
};

/* What has come of the response. Zeroed: nothing. */
struct response {
    size_t head_bytes;
    size_t body_bytes;
    bool head_cut;          /* we stopped the transfer there */
    bool answered;          /* the head of the final response has come */
    int64_t answered_ms;    /* monotonic: when it came */
    int64_t retry_after_ms; /* of the last head; 0: none */
};

enum state {
    STATE_IDLE,
    STATE_BUSY,      /* has a job */
    STATE_LINGERING, /* the job is done; the body is read for the sake of the
                        connection */
};

struct http_call {
    CURL *easy;
    const struct settings *settings;
    http_call_answered *answered;
    void *context;
    enum state state;
    struct headers *headers;
    struct job *job; /* NULL unless busy */
    struct destination_ticket ticket;
    char span_id[TRACE_CONTEXT_SPAN_ID_SIZE]; /* of the attempt */
    struct payload_target target;
    struct curl_slist resolved; /* for CURLOPT_RESOLVE; data is malloc'd */
    int64_t started_ms;         /* monotonic */
    int round;                  /* of connecting */
    int rounds;                 /* that there are addresses for */
    int64_t round_end_ms;       /* monotonic: if there is no connection by then,
                                   the next round begins */
    struct response response;
    struct socket_guard guard;
    char body[]; /* payload_body_size bytes */
};

/* Reads the value of a Retry-After header, which may be a date. 0 if it cannot
   be read. */
static int64_t
read_retry_after(const char *text, size_t len, int64_t now_ms)
{
    char value[RETRY_AFTER_VALUE_SIZE];
    int64_t wait_ms;

    if (len >= sizeof(value)) {
        return 0;
    }
    memcpy(value, text, len);
    value[len] = '\0';
    wait_ms = retry_after_ms(value, now_ms / 1000);
    return wait_ms > 0 ? wait_ms : 0;
}

/* The end of a head. Those of interim responses (1xx) do not count. */
static void
end_head(struct http_call *call)
{
    long status = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        call->response.answered = true;
        call->response.answered_ms = clock_mono_ms();
        call->answered(call->context, call);
    }
}

/*
 * Called for each line of a head, and of the trailers, which do not count. Any
 * result but all bytes stops the transfer.
 */
static size_t
on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    struct response *response = &call->response;
    size_t len = size * count;

    response->head_bytes += len;
    if (response->head_bytes > HTTP_CALL_HEAD_MAX_BYTES) {
        response->head_cut = true;
        return 0;
    }
    if (response->answered) {
        return len;
    }
    if (len > STATUS_LEN && strncasecmp(bytes, STATUS, STATUS_LEN) == 0) {
        response->retry_after_ms = 0;
    } else if (len > RETRY_AFTER_LEN &&
               strncasecmp(bytes, RETRY_AFTER, RETRY_AFTER_LEN) == 0) {
        response->retry_after_ms =
            read_retry_after(bytes + RETRY_AFTER_LEN, len - RETRY_AFTER_LEN,
                             job_now_ms(call->job));
    } else if (len > 0 && (bytes[0] == '\r' || bytes[0] == '\n')) {
        end_head(call);
    }
    return len;
}

/* Called for each part of the body, which is dropped. As on_header. */
static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct response *response = &((struct http_call *)context)->response;
    size_t len = size * count;

    (void)bytes;
    response->body_bytes += len;
    return response->body_bytes >= HTTP_CALL_BODY_MAX_BYTES ? 0 : len;
}

/*
 * Called before libcurl looks up a host in a thread of its own. That is only
 * right for an address, which needs no look-up. Not 0: refused.
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

/* The limits on what a receiver, or the environment, can make libcurl do. */
static bool
set_bounds(const struct http_call *call)
{
    return set_text(call, CURLOPT_PROXY, "") &&
           set_long(call, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(call, CURLOPT_HTTP_CONTENT_DECODING, 0) &&
           set_long(call, CURLOPT_HTTP_TRANSFER_DECODING, 0) &&
           tls_set_up(call->easy, &call->settings->tls,
                      call->settings->trust) == 0 &&
           set_long(call, CURLOPT_NOSIGNAL, 1);
}

static bool
set_request(const struct http_call *call)
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

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION,
                            before_lookup) == CURLE_OK &&
           socket_guard_watch(&call->guard, easy) == 0;
}

struct http_call *
http_call_open(const struct settings *settings, http_call_answered *answered,
               void *context)
{
    struct http_call *call =
        calloc(1, sizeof(*call) + payload_body_size(&settings->payload));

    if (call == NULL) {
        return NULL;
    }
    call->settings = settings;
    call->answered = answered;
    call->context = context;
    call->headers = headers_open(settings->signature,
                                 settings->payload.method == CALLBACK_POST);
    call->easy = curl_easy_init();
    if (call->headers == NULL || call->easy == NULL || !set_bounds(call) ||
        !set_request(call) || !set_context(call) || !set_callbacks(call)) {
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

/* Writes headers and body, signed; of a GET the path is signed. */
static bool
compose(struct http_call *call)
{
    const struct payload *payload = &call->settings->payload;
    const struct job *job = call->job;
    size_t len;

    if (payload->method == CALLBACK_GET) {
        const char *path = call->target.path;

        return headers_write(call->headers, job, call->span_id, path,
                             strlen(path)) == 0;
    }
    len = payload_body(payload, job->count, call->body,
                       payload_body_size(payload));
    return headers_write(call->headers, job, call->span_id, call->body, len) ==
               0 &&
           set_long(call, CURLOPT_POSTFIELDSIZE, (int64_t)len) &&
           set_text(call, CURLOPT_POSTFIELDS, call->body);
}

int
http_call_prepare(struct http_call *call, struct job *job,
                  const struct destination_ticket *ticket)
{
    payload_target_fini(&call->target);
    call->state = STATE_BUSY;
    call->job = job;
    call->ticket = *ticket;
    call->started_ms = clock_mono_ms();
    call->response = (struct response){0};
    call->round = 0;
    if (job->trace != NULL) {
        random_hex(call->span_id, sizeof(call->span_id) / 2);
    }
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

static bool
has_more_rounds(const struct http_call *call)
{
    return call->round + 1 < call->rounds &&
           call->round + 1 < HTTP_CALL_ROUNDS_MAX;
}

/*
 * Sets what is left of both time limits. The rounds to come have equal parts of
 * the time to connect. That time includes the TLS handshake, which may take all
 * that is left.
 */
static bool
set_limits(struct http_call *call)
{
    const struct options *options = call->settings->options;
    int64_t spent_ms = http_call_duration_ms(call);
    int64_t left_ms = int64_max(options->callbacks.timeout_ms - spent_ms, 1);
    int64_t connect_ms =
        int64_max(options->callbacks.connect_timeout_ms - spent_ms, 1);
    int64_t rounds = int64_clamp(call->rounds, 1, HTTP_CALL_ROUNDS_MAX);

    call->round_end_ms =
        clock_mono_ms() + connect_ms / int64_max(rounds - call->round, 1);
    return set_long(call, CURLOPT_TIMEOUT_MS, left_ms) &&
           set_long(call, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
}

/*
 * Of several addresses of one family, libcurl 7.88 connects to the second one
 * only when its time is over, too, if the first is silent (baller_start_next in
 * connect.c leaves the handle without a timer). So libcurl gets one of each
 * family at a time. "+": libcurl may drop the entry from its DNS cache.
 */
int
http_call_resolve(struct http_call *call, const char *addresses)
{
    char pair[ADDRESS_LIST_PAIR_SIZE];
    struct curl_slist *resolved = NULL;

    free(call->resolved.data);
    call->resolved.data = NULL;
    call->rounds = 1;
    if (addresses != NULL) {
        call->rounds = address_list_pick(addresses, call->round, pair);
        if (pair[0] == '\0') { /* there are fewer addresses by now */
            address_list_pick(addresses, call->rounds - 1, pair);
        }
        if (asprintf(&call->resolved.data, "+%s:%s", call->target.host, pair) <
            0) {
            call->resolved.data = NULL;
            return -1;
        }
        resolved = &call->resolved;
    }
    return set_pointer(call, CURLOPT_RESOLVE, resolved) && set_limits(call)
               ? 0
               : -1;
}

int64_t
http_call_stop_in_ms(const struct http_call *call)
{
    if (call->state == STATE_LINGERING) {
        return int64_max(call->response.answered_ms + HTTP_CALL_GRACE_MS -
                             clock_mono_ms(),
                         0);
    }
    return has_more_rounds(call) && socket_guard_is_connecting(&call->guard)
               ? int64_max(call->round_end_ms - clock_mono_ms(), 0)
               : -1;
}

void
http_call_next_round(struct http_call *call)
{
    call->round++;
    socket_guard_go_on(&call->guard);
}

bool
http_call_is_to_renew(struct http_call *call, CURLcode code)
{
    if (socket_guard_is_to_renew(&call->guard, code)) {
        return true;
    }
    if (code == CURLE_COULDNT_CONNECT && has_more_rounds(call) &&
        socket_guard_no_resources(&call->guard, code) == 0) {
        http_call_next_round(call);
        return true;
    }
    return false;
}

struct retry_facts
http_call_facts(const struct http_call *call, CURLcode code)
{
    const char *refusal = socket_guard_refusal(&call->guard);
    struct retry_facts facts = {
        .code = code,
        .refusal = refusal[0] == '\0' ? NULL : refusal,
        .no_resources = socket_guard_no_resources(&call->guard, code),
        .head_cut = call->response.head_cut,
        .retry_after_ms = call->response.retry_after_ms,
        .attempts = call->job->attempts,
        .returned = call->job->returned,
        .random = (uint32_t)random_number(),
    };

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &facts.status);
    return facts;
}

struct job *
http_call_release(struct http_call *call)
{
    struct job *job = call->job;

    call->state =
        job != NULL && call->response.answered ? STATE_LINGERING : STATE_IDLE;
    call->job = NULL;
    return job;
}

bool
http_call_is_lingering(const struct http_call *call)
{
    return call->state == STATE_LINGERING;
}

bool
http_call_is_idle(const struct http_call *call)
{
    return call->state == STATE_IDLE;
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

struct job *
http_call_job(const struct http_call *call)
{
    return call->job;
}

const struct destination_ticket *
http_call_ticket(const struct http_call *call)
{
    return &call->ticket;
}

const char *
http_call_host(const struct http_call *call)
{
    return call->target.host;
}

const char *
http_call_span_id(const struct http_call *call)
{
    return call->span_id;
}

int64_t
http_call_duration_ms(const struct http_call *call)
{
    return clock_mono_ms() - call->started_ms;
}
