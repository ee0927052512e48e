/*
 * attempt: all that we ask of libcurl, in one place. The headers and the body
 * are the attempt's own, as libcurl borrows them until the end of a transfer:
 * preparing one takes memory for its URL and its addresses only.
 */
#define _GNU_SOURCE /* asprintf */
#include "attempt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "envelope.h"
#include "passage.h"
#include "program.h"
#include "receipt.h"

struct attempt {
    CURL *easy;
    const struct terms *terms;
    struct envelope *envelope;
    struct job *job; /* NULL: idle */
    struct destination_ticket ticket;
    struct names_wait wait;
    struct message_target target;
    struct curl_slist resolved; /* what libcurl need not look up; data: ours */
    int64_t started_ms;         /* monotonic */
    struct receipt receipt;
    struct passage passage;
    char body[]; /* message_body_size bytes */
};

/* Returning less than was given ends the transfer. */
static size_t
take_head(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;
    size_t len = size * count;

    return receipt_head(&attempt->receipt, bytes, len) ? len : 0;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;
    size_t len = size * count;

    (void)bytes;
    return receipt_body(&attempt->receipt, len) ? len : 0;
}

/*
 * libcurl asks here before it looks a host up by itself, in a thread of its
 * own: only an address, which needs none, comes this far. Not 0: refused.
 */
static int
before_lookup(void *state, void *reserved, void *context)
{
    const struct attempt *attempt = context;

    (void)state;
    (void)reserved;
    return attempt->target.name != NULL;
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

static bool
set_pointer(const struct attempt *attempt, CURLoption option, void *value)
{
    return curl_easy_setopt(attempt->easy, option, value) == CURLE_OK;
}

/* What keeps a receiver, or the environment, from leading us elsewhere. */
static bool
set_bounds(const struct attempt *attempt)
{
    return set_text(attempt, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(attempt, CURLOPT_PROXY, "") &&
           set_long(attempt, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(attempt, CURLOPT_HTTP_CONTENT_DECODING, 0) &&
           set_long(attempt, CURLOPT_SSL_VERIFYPEER, 1) &&
           set_long(attempt, CURLOPT_SSL_VERIFYHOST, 2) &&
           set_long(attempt, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_long(attempt, CURLOPT_CONNECTTIMEOUT_MS,
                    attempt->terms->options->callbacks.connect_timeout_ms) &&
           set_long(attempt, CURLOPT_NOSIGNAL, 1);
}

static bool
set_form(const struct attempt *attempt)
{
    bool post = attempt->terms->message.method == CALLBACK_POST;

    return set_text(attempt, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_long(attempt, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(attempt, CURLOPT_PATH_AS_IS, 1) &&
           set_long(attempt, post ? CURLOPT_POST : CURLOPT_HTTPGET, 1) &&
           set_pointer(attempt, CURLOPT_HTTPHEADER,
                       envelope_list(attempt->envelope));
}

static bool
set_context(struct attempt *attempt)
{
    return set_pointer(attempt, CURLOPT_PRIVATE, attempt) &&
           set_pointer(attempt, CURLOPT_HEADERDATA, attempt) &&
           set_pointer(attempt, CURLOPT_WRITEDATA, attempt) &&
           set_pointer(attempt, CURLOPT_RESOLVER_START_DATA, attempt);
}

static bool
set_callbacks(struct attempt *attempt)
{
    CURL *easy = attempt->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION,
                            before_lookup) == CURLE_OK &&
           passage_watch(&attempt->passage, easy) == 0;
}

struct attempt *
attempt_open(const struct terms *terms)
{
    struct attempt *attempt =
        calloc(1, sizeof(*attempt) + message_body_size(&terms->message));

    if (attempt == NULL) {
        return NULL;
    }
    attempt->terms = terms;
    attempt->wait.context = attempt;
    attempt->envelope =
        envelope_open(terms->signature, terms->message.method == CALLBACK_POST);
    attempt->easy = curl_easy_init();
    if (attempt->envelope == NULL || attempt->easy == NULL ||
        !set_bounds(attempt) || !set_form(attempt) || !set_context(attempt) ||
        !set_callbacks(attempt)) {
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
        envelope_close(attempt->envelope);
        message_target_fini(&attempt->target);
        free(attempt->resolved.data);
        free(attempt);
    }
}

/* Writes what is sent, and signs it: the body, or where the GET goes. */
static bool
compose(struct attempt *attempt)
{
    const struct message *message = &attempt->terms->message;
    const struct job *job = attempt->job;
    size_t len;

    if (message->method == CALLBACK_GET) {
        const char *path = attempt->target.path;

        return envelope_address(attempt->envelope, job, path, strlen(path)) ==
               0;
    }
    len = message_body(message, job->count, attempt->body,
                       message_body_size(message));
    return envelope_address(attempt->envelope, job, attempt->body, len) == 0 &&
           set_long(attempt, CURLOPT_POSTFIELDSIZE, (int64_t)len) &&
           set_text(attempt, CURLOPT_POSTFIELDS, attempt->body);
}

int
attempt_prepare(struct attempt *attempt, struct job *job,
                const struct destination_ticket *ticket)
{
    message_target_fini(&attempt->target);
    attempt->job = job;
    attempt->ticket = *ticket;
    attempt->started_ms = clock_mono_ms();
    attempt->receipt = (struct receipt){0};
    passage_start(&attempt->passage, attempt->terms->guard);
    if (message_target(&attempt->terms->message, job->url, job->count,
                       &attempt->target) != 0) {
        return -1;
    }
    return set_text(attempt, CURLOPT_URL, attempt->target.url) &&
                   compose(attempt)
               ? 0
               : -1;
}

const char *
attempt_name(const struct attempt *attempt)
{
    return attempt->target.name;
}

/* The "+" lets libcurl forget it after a while. */
int
attempt_resolve(struct attempt *attempt, const char *addresses)
{
    int64_t left_ms = attempt->terms->options->callbacks.timeout_ms -
                      attempt_duration_ms(attempt);
    struct curl_slist *resolved = NULL;

    free(attempt->resolved.data);
    attempt->resolved.data = NULL;
    if (addresses != NULL) {
        if (asprintf(&attempt->resolved.data, "+%s:%s", attempt->target.host,
                     addresses) < 0) {
            attempt->resolved.data = NULL;
            return -1;
        }
        resolved = &attempt->resolved;
    }
    return set_pointer(attempt, CURLOPT_RESOLVE, resolved) &&
                   set_long(attempt, CURLOPT_TIMEOUT_MS,
                            left_ms > 1 ? left_ms : 1)
               ? 0
               : -1;
}

struct job *
attempt_release(struct attempt *attempt)
{
    struct job *job = attempt->job;

    names_leave(&attempt->wait);
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

const struct destination_ticket *
attempt_ticket(const struct attempt *attempt)
{
    return &attempt->ticket;
}

struct names_wait *
attempt_wait(struct attempt *attempt)
{
    return &attempt->wait;
}

const char *
attempt_host(const struct attempt *attempt)
{
    return attempt->target.host;
}

const char *
attempt_refusal(const struct attempt *attempt)
{
    return passage_refusal(&attempt->passage);
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
        .refused = attempt_refusal(attempt)[0] != '\0',
        .starved = passage_starved(&attempt->passage, attempt->easy, code),
        .head_cut = attempt->receipt.head_cut,
        .body_cut = attempt->receipt.body_cut,
        .retry_after_ms = attempt->receipt.retry_after_ms,
        .attempts = attempt->job->attempts,
        .dice = arc4random(),
    };

    curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &facts.status);
    return facts;
}
