/*
 * attempt: all that we ask of libcurl, in one place. The list of headers and
 * the body are in the attempt itself, as libcurl borrows them until the end of
 * a transfer: preparing one takes memory for its URL only.
 */
#include "attempt.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "program.h"
#include "window.h"

enum { HEADER_SIZE = 96 };

/* CONTENT_TYPE is the last: a GET's list ends before it. */
enum header { ID, TIMESTAMP, WINDOW, GUARD, EXPECT, CONTENT_TYPE, HEADERS };

struct attempt {
    CURL *easy;
    const struct message *message;
    struct job *job; /* NULL: idle */
    struct message_target target;
    int64_t started_ms; /* monotonic */
    size_t head_bytes;  /* received so far */
    size_t body_bytes;
    bool head_cut; /* there were too many of them */
    bool body_cut;
    char headers[HEADERS][HEADER_SIZE];
    struct curl_slist list[HEADERS];
    char body[]; /* message_body_size bytes */
};

/* Returning less than was given ends the transfer. */
static size_t
take_head(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;

    (void)bytes;
    attempt->head_bytes += size * count;
    attempt->head_cut = attempt->head_bytes > ATTEMPT_HEAD_MAX_BYTES;
    return attempt->head_cut ? 0 : size * count;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;

    (void)bytes;
    attempt->body_bytes += size * count;
    attempt->body_cut = attempt->body_bytes > ATTEMPT_BODY_MAX_BYTES;
    return attempt->body_cut ? 0 : size * count;
}

/* As libcurl would, but close-on-exec. */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static bool
set_long(const struct attempt *attempt, CURLoption option, int64_t value)
{
    return curl_easy_setopt(attempt->easy, option, (long)value) == CURLE_OK;
}

static bool
set_text(const struct attempt *attempt, CURLoption option, const char *value)
{
    return curl_easy_setopt(attempt->easy, option, value) == CURLE_OK;
}

/* What keeps a receiver, or the environment, from leading us elsewhere. */
static bool
set_bounds(const struct attempt *attempt, const struct options *options)
{
    return set_text(attempt, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(attempt, CURLOPT_PROXY, "") &&
           set_long(attempt, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(attempt, CURLOPT_SSL_VERIFYPEER, 1) &&
           set_long(attempt, CURLOPT_SSL_VERIFYHOST, 2) &&
           set_long(attempt, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_long(attempt, CURLOPT_CONNECTTIMEOUT_MS,
                    options->callbacks.connect_timeout_ms) &&
           set_long(attempt, CURLOPT_TIMEOUT_MS,
                    options->callbacks.timeout_ms) &&
           set_long(attempt, CURLOPT_NOSIGNAL, 1) &&
           /* Else a name that does not resolve stalls the whole loop. */
           set_long(attempt, CURLOPT_QUICK_EXIT, 1);
}

static bool
set_form(const struct attempt *attempt, const struct message *message)
{
    bool post = message->method == CALLBACK_POST;

    return set_text(attempt, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_long(attempt, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(attempt, CURLOPT_PATH_AS_IS, 1) &&
           set_long(attempt, post ? CURLOPT_POST : CURLOPT_HTTPGET, 1);
}

static bool
set_callbacks(struct attempt *attempt)
{
    CURL *easy = attempt->easy;

    return curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, attempt) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
               CURLE_OK;
}

static void
set_header(struct attempt *attempt, enum header header, const char *name,
           const char *value)
{
    snprintf(attempt->headers[header], HEADER_SIZE, "%s:%s%s", name,
             value[0] == '\0' ? "" : " ", value);
}

/* Chains the headers up, and fills in those that are always the same. */
static bool
set_headers(struct attempt *attempt)
{
    bool post = attempt->message->method == CALLBACK_POST;
    size_t count = post ? HEADERS : CONTENT_TYPE;

    for (size_t i = 0; i < count; i++) {
        attempt->list[i].data = attempt->headers[i];
        attempt->list[i].next = i + 1 < count ? &attempt->list[i + 1] : NULL;
    }
    set_header(attempt, GUARD, "Verve-Callback", "1");
    set_header(attempt, EXPECT, "Expect", ""); /* libcurl then sends none */
    set_header(attempt, CONTENT_TYPE, "Content-Type", "application/json");
    return curl_easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, attempt->list) ==
           CURLE_OK;
}

struct attempt *
attempt_open(const struct options *options, const struct message *message)
{
    struct attempt *attempt =
        calloc(1, sizeof(*attempt) + message_body_size(message));

    if (attempt == NULL) {
        return NULL;
    }
    attempt->message = message;
    attempt->easy = curl_easy_init();
    if (attempt->easy == NULL || !set_bounds(attempt, options) ||
        !set_form(attempt, message) || !set_callbacks(attempt) ||
        !set_headers(attempt)) {
        attempt_close(attempt);
        return NULL;
    }
    return attempt;
}

void
attempt_close(struct attempt *attempt)
{
    if (attempt != NULL) {
        curl_easy_cleanup(attempt->easy);
        message_target_fini(&attempt->target);
        free(attempt);
    }
}

static void
describe(struct attempt *attempt, const struct job *job)
{
    char text[WINDOW_TEXT_SIZE];

    set_header(attempt, ID, "webhook-id", job->id);
    snprintf(text, sizeof(text), "%" PRId64, clock_wall_ms() / 1000);
    set_header(attempt, TIMESTAMP, "webhook-timestamp", text);
    window_format(text, job->window_s);
    set_header(attempt, WINDOW, "Verve-Window", text);
}

static bool
set_body(struct attempt *attempt, int64_t count)
{
    size_t len = message_body(attempt->message, count, attempt->body,
                              message_body_size(attempt->message));

    return set_long(attempt, CURLOPT_POSTFIELDSIZE, (int64_t)len) &&
           set_text(attempt, CURLOPT_POSTFIELDS, attempt->body);
}

int
attempt_prepare(struct attempt *attempt, struct job *job)
{
    message_target_fini(&attempt->target);
    attempt->job = job;
    attempt->started_ms = clock_mono_ms();
    attempt->head_bytes = 0;
    attempt->body_bytes = 0;
    attempt->head_cut = false;
    attempt->body_cut = false;
    describe(attempt, job);
    if (message_target(attempt->message, job->url, job->count,
                       &attempt->target) != 0 ||
        !set_text(attempt, CURLOPT_URL, attempt->target.url)) {
        return -1;
    }
    return attempt->message->method == CALLBACK_GET ||
                   set_body(attempt, job->count)
               ? 0
               : -1;
}

struct job *
attempt_release(struct attempt *attempt)
{
    struct job *job = attempt->job;

    attempt->job = NULL;
    return job;
}

CURL *
attempt_easy(const struct attempt *attempt)
{
    return attempt->easy;
}

struct attempt *
attempt_of(CURL *easy)
{
    char *attempt = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &attempt);
    return (struct attempt *)attempt;
}

const struct job *
attempt_job(const struct attempt *attempt)
{
    return attempt->job;
}

const char *
attempt_host(const struct attempt *attempt)
{
    return attempt->target.host;
}

int64_t
attempt_duration_ms(const struct attempt *attempt)
{
    return clock_mono_ms() - attempt->started_ms;
}

struct outcome_facts
attempt_facts(const struct attempt *attempt, CURLcode code)
{
    struct outcome_facts facts = {
        .code = code,
        .head_cut = attempt->head_cut,
        .body_cut = attempt->body_cut,
        .attempts = attempt->job->attempts,
        .dice = arc4random(),
    };

    curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &facts.status);
    return facts;
}
