/*
 * One HTTP request at a time for one job: a libcurl handle with its settings,
 * and the memory of the request and of what is known of the response. It is
 * made once and used for one job after another. It starts no transfer and
 * decides nothing: see dispatcher.c and retry_policy.h.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "destination.h"
#include "retry_policy.h"
#include "settings.h"
#include "store/job.h"

enum {
    /* The transfer is stopped if a response is longer. */
    HTTP_CALL_HEAD_MAX_BYTES = 65536,
    HTTP_CALL_BODY_MAX_BYTES = 65536,
    /* The time for a body, so that its connection can be kept. */
    HTTP_CALL_GRACE_MS = 1000,
    /* Rounds of connecting, each with an address of each family. */
    HTTP_CALL_ROUNDS_MAX = 4,
};

struct http_call;

/*
 * Called by libcurl, which must not be called back, once the head of the final
 * response has come. If the job is released now, the call is lingering.
 */
typedef void http_call_answered(void *context, struct http_call *call);

/* settings is borrowed. NULL: no memory. */
struct http_call *http_call_open(const struct settings *settings,
                                 http_call_answered *answered, void *context);

/* Not while its transfer is under way. Does not free its job. */
void http_call_close(struct http_call *call);

/*
 * Writes the request for job, which it holds until http_call_release, and
 * starts the clock of http_call_duration_ms. 0, or -1 without memory.
 */
int http_call_prepare(struct http_call *call, struct job *job,
                      const struct destination_ticket *ticket);

/* The host name to be looked up before the start. NULL: it is an address. */
const char *http_call_name(const struct http_call *call);

/*
 * Sets the addresses of the round out of those of the name, as
 * dns_cache_addresses has them (NULL if there is no name), and the time limits,
 * which are what is left of callbacks.timeout_ms and connect_timeout_ms. To be
 * called right before each start. 0, or -1 without memory.
 */
int http_call_resolve(struct http_call *call, const char *addresses);

/*
 * In how many ms the transfer under way is to be stopped; 0: now; -1: there is
 * no such time. If the call is lingering, its grace is over then; it is to be
 * released. Else it has no connection, and there are other addresses: after
 * http_call_next_round it may be resolved and started again.
 */
int64_t http_call_stop_in_ms(const struct http_call *call);
void http_call_next_round(struct http_call *call);

/*
 * After the transfer ended with code: true if it is to be resolved and started
 * again at once, as nothing was sent. See socket_guard_is_to_renew; or it could
 * not connect, and the next round has begun.
 */
bool http_call_is_to_renew(struct http_call *call, CURLcode code);

/* What is known after the transfer ended with code. The refusal is borrowed
   until the next http_call_prepare. */
struct retry_facts http_call_facts(const struct http_call *call, CURLcode code);

/*
 * Hands its job back. If the response has been answered, the call is lingering
 * then: the transfer goes on without a job. Else, or if it was lingering, it is
 * idle. NULL if it has no job.
 */
struct job *http_call_release(struct http_call *call);
bool http_call_is_lingering(const struct http_call *call);
bool http_call_is_idle(const struct http_call *call);

/* The handle for curl_loop_start, and the call of a handle. */
CURL *http_call_easy(const struct http_call *call);
struct http_call *http_call_of(CURL *easy);

/* Its job, borrowed. NULL: it is idle or lingering. */
struct job *http_call_job(const struct http_call *call);

/* The ticket of that job. */
const struct destination_ticket *http_call_ticket(const struct http_call *call);

/* host:port of the last prepared job. NULL: preparing it failed. */
const char *http_call_host(const struct http_call *call);

/* The span id in the traceparent of its job, if the job has one. */
const char *http_call_span_id(const struct http_call *call);

/* Milliseconds since http_call_prepare. */
int64_t http_call_duration_ms(const struct http_call *call);

#endif
