/*
 * aws_chain: runs the steps of one source after the other. The requests between
 * two steps are short and stay in the neighbourhood, so each has a connection
 * of its own. Lifetimes are counted by the monotonic clock from the end of the
 * fetch.
 */
#define _GNU_SOURCE /* explicit_bzero */
#include "aws_chain.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_source.h"
#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "net/curl_loop.h"
#include "net/tls.h"

#define SHARE "aws" /* all requests share one pool of connections */

enum {
    CONNECT_TIMEOUT_MS = 1500,
    TIMEOUT_MS = 3000,        /* of a request; a source has 3 at most */
    BODY_SIZE = 16384,        /* of an answer, with a NUL */
    RENEW_MS = 5 * 60 * 1000, /* before they expire */
    RETRY_MIN_MS = 1000,      /* after a renewal that failed */
    RETRY_MAX_MS = 60 * 1000,
    /* If the local clock says that new credentials have expired, it is wrong,
       as long as AWS's clock is not known. */
    DOUBTFUL_MS = 60 * 1000,
};

struct aws_chain {
    aws_chain_ended *ended;
    void *context;
    struct curl_loop *transfers;
    CURL *easy;
    struct curl_slist *headers;

    bool fetching;
    size_t source; /* of aws_sources, which is asked */
    struct aws_lookup lookup;
    int64_t skew_s;
    char body[BODY_SIZE];
    size_t body_len;
    char why[AWS_CHAIN_WHY_SIZE];

    struct aws_credentials credentials;
    const char *name; /* of their source */
    bool changed;
    int64_t expire_ms; /* monotonic; INT64_MAX: never */
    int64_t renew_ms;  /* the same */
};

static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct aws_chain *chain = context;
    size_t room = sizeof(chain->body) - 1 - chain->body_len;
    size_t len = size * count < room ? size * count : room;

    memcpy(chain->body + chain->body_len, bytes, len);
    chain->body_len += len;
    return size * count;
}

static bool
set_text(const struct aws_chain *chain, CURLoption option, const char *value)
{
    return curl_easy_setopt(chain->easy, option, value) == CURLE_OK;
}

static bool
set_long(const struct aws_chain *chain, CURLoption option, long value)
{
    return curl_easy_setopt(chain->easy, option, value) == CURLE_OK;
}

/* Sets what all requests have in common. The endpoints are of this host or link
   mostly, so no proxy is asked. */
static bool
set_common(struct aws_chain *chain)
{
    return set_text(chain, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_text(chain, CURLOPT_PROXY, "") &&
           set_long(chain, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           tls_set_up(chain->easy, NULL, NULL) == 0 &&
           set_long(chain, CURLOPT_FRESH_CONNECT, 1) &&
           set_long(chain, CURLOPT_FORBID_REUSE, 1) &&
           set_long(chain, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) &&
           set_long(chain, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) &&
           set_long(chain, CURLOPT_NOSIGNAL, 1) &&
           curl_easy_setopt(chain->easy, CURLOPT_WRITEFUNCTION, on_body) ==
               CURLE_OK &&
           curl_easy_setopt(chain->easy, CURLOPT_WRITEDATA, chain) == CURLE_OK;
}

/* 0, or -1: no memory, or the URL is none. */
static int
send_request(struct aws_chain *chain)
{
    const struct aws_request *request = &chain->lookup.request;

    curl_easy_reset(chain->easy);
    curl_slist_free_all(chain->headers);
    chain->headers = NULL;
    chain->body_len = 0;
    if (request->header != NULL) {
        chain->headers = curl_slist_append(NULL, request->header);
        if (chain->headers == NULL) {
            return -1;
        }
    }
    if (!set_common(chain) || !set_text(chain, CURLOPT_URL, request->url) ||
        curl_easy_setopt(chain->easy, CURLOPT_HTTPHEADER, chain->headers) !=
            CURLE_OK) {
        return -1;
    }
    if (request->put && (!set_text(chain, CURLOPT_POSTFIELDS, "") ||
                         !set_text(chain, CURLOPT_CUSTOMREQUEST, "PUT"))) {
        return -1;
    }
    if (request->form != NULL &&
        !set_text(chain, CURLOPT_POSTFIELDS, request->form)) {
        return -1;
    }
    return curl_loop_start(chain->transfers, chain->easy, SHARE);
}

/* Adds why a source has no credentials. */
static void
add_why(char list[AWS_CHAIN_WHY_SIZE], const char *source, const char *why)
{
    size_t len = strlen(list);

    snprintf(list + len, AWS_CHAIN_WHY_SIZE - len, "%s%s: %s",
             len == 0 ? "" : "; ", source, why);
}

static void
end_fetch(struct aws_chain *chain, bool fetched)
{
    aws_lookup_fini(&chain->lookup);
    explicit_bzero(chain->body, sizeof(chain->body));
    chain->fetching = false;
    chain->ended(chain->context, fetched);
}

static void
plan_renewal(struct aws_chain *chain)
{
    int64_t now_ms = clock_mono_ms();
    int64_t now_s = clock_wall_ms() / 1000 + chain->skew_s;
    int64_t left_ms;

    chain->expire_ms = chain->renew_ms = INT64_MAX;
    if (chain->credentials.expires_s == 0) {
        return;
    }
    left_ms = (chain->credentials.expires_s - now_s) * 1000;
    if (left_ms <= 0) {
        left_ms = DOUBTFUL_MS;
    }
    chain->expire_ms = now_ms + left_ms;
    chain->renew_ms = chain->expire_ms - int64_min(RENEW_MS, left_ms / 2);
}

static void
take_found(struct aws_chain *chain)
{
    chain->changed =
        !aws_credentials_equal(&chain->credentials, &chain->lookup.found);
    aws_credentials_fini(&chain->credentials);
    chain->credentials = chain->lookup.found;
    memset(&chain->lookup.found, 0, sizeof(chain->lookup.found));
    chain->name = aws_sources[chain->source]->name;
    plan_renewal(chain);
    end_fetch(chain, true);
}

/* Old credentials are to be renewed soon, and before they expire. */
static void
fail(struct aws_chain *chain, const char *why)
{
    int64_t now_ms = clock_mono_ms();
    int64_t half_ms = (chain->expire_ms - now_ms) / 2;

    add_why(chain->why, aws_sources[chain->source]->name, why);
    chain->renew_ms = now_ms + int64_clamp(half_ms, RETRY_MIN_MS, RETRY_MAX_MS);
    end_fetch(chain, false);
}

/* Goes on until a request was sent, or the fetch has ended. */
static void
go_on(struct aws_chain *chain)
{
    struct aws_lookup *lookup = &chain->lookup;
    const struct aws_source *source = aws_sources[chain->source];

    switch (source->step(lookup)) {
    case AWS_SOURCE_FOUND:
        take_found(chain);
        return;
    case AWS_SOURCE_BAD:
        fail(chain, lookup->why);
        return;
    case AWS_SOURCE_ASK:
        lookup->step++;
        if (send_request(chain) < 0) {
            fail(chain, "cannot start a request");
        }
        return;
    case AWS_SOURCE_NONE:
        break;
    }
    if (chain->source + 1 == AWS_SOURCES) {
        fail(chain, lookup->why);
        return;
    }
    add_why(chain->why, source->name, lookup->why);
    aws_lookup_fini(lookup);
    chain->source++;
    go_on(chain);
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct aws_chain *chain = context;

    if (code != CURLE_OK) {
        fail(chain, curl_easy_strerror(code));
        return;
    }
    chain->body[chain->body_len] = '\0';
    chain->lookup.body = chain->body;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &chain->lookup.status);
    go_on(chain);
}

struct aws_chain *
aws_chain_open(struct event_loop *loop, aws_chain_ended *ended, void *context)
{
    struct aws_chain *chain = calloc(1, sizeof(*chain));

    if (chain == NULL) {
        return NULL;
    }
    chain->ended = ended;
    chain->context = context;
    chain->name = "";
    chain->expire_ms = chain->renew_ms = INT64_MAX;
    chain->transfers = curl_loop_open(loop, 1, on_ended, chain);
    chain->easy = curl_easy_init();
    if (chain->transfers == NULL || chain->easy == NULL) {
        aws_chain_close(chain);
        return NULL;
    }
    return chain;
}

/* A fetch that is under way has a request under way. */
static void
stop_fetch(struct aws_chain *chain)
{
    if (chain->fetching) {
        curl_loop_stop(chain->transfers, chain->easy, SHARE);
        aws_lookup_fini(&chain->lookup);
        chain->fetching = false;
    }
}

void
aws_chain_close(struct aws_chain *chain)
{
    if (chain != NULL) {
        stop_fetch(chain);
        curl_easy_cleanup(chain->easy);
        curl_slist_free_all(chain->headers);
        curl_loop_close(chain->transfers);
        aws_credentials_fini(&chain->credentials);
        free(chain);
    }
}

void
aws_chain_fetch(struct aws_chain *chain, int64_t skew_s)
{
    stop_fetch(chain);
    chain->fetching = true;
    chain->source = 0;
    chain->skew_s = skew_s;
    chain->why[0] = '\0';
    go_on(chain);
}

bool
aws_chain_is_fetching(const struct aws_chain *chain)
{
    return chain->fetching;
}

enum aws_chain_state
aws_chain_state(const struct aws_chain *chain)
{
    int64_t now_ms = clock_mono_ms();

    if (chain->credentials.access_key == NULL || now_ms >= chain->expire_ms) {
        return AWS_CHAIN_NONE;
    }
    return now_ms >= chain->renew_ms ? AWS_CHAIN_OLD : AWS_CHAIN_GOOD;
}

const struct aws_credentials *
aws_chain_credentials(const struct aws_chain *chain)
{
    return &chain->credentials;
}

bool
aws_chain_has_changed(const struct aws_chain *chain)
{
    return chain->changed;
}

const char *
aws_chain_source(const struct aws_chain *chain)
{
    return chain->name;
}

const char *
aws_chain_why(const struct aws_chain *chain)
{
    return chain->why;
}

int
aws_chain_check(char why[AWS_CHAIN_WHY_SIZE])
{
    why[0] = '\0';
    for (size_t i = 0; i < AWS_SOURCES; i++) {
        struct aws_lookup lookup = {0};
        enum aws_source_result result = aws_sources[i]->step(&lookup);

        if (result == AWS_SOURCE_NONE || result == AWS_SOURCE_BAD) {
            add_why(why, aws_sources[i]->name, lookup.why);
        }
        aws_lookup_fini(&lookup);
        if (result != AWS_SOURCE_NONE) {
            return result == AWS_SOURCE_BAD ? -1 : 0;
        }
    }
    return -1;
}
