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
    /* Rounds of connecting, each with an address of each family. */
    HTTP_CALL_ROUNDS_MAX = 4,
};

struct http_call;

/* settings is borrowed. NULL: no memory. */
struct http_call *http_call_open(const struct settings *settings);

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
 * In how many ms the transfer under way is stuck: the time of its round is over
 * without a connection, and there are other addresses. 0: now; -1: never. Once
 * it is stuck and was stopped, and http_call_next_round was called, it may be
 * resolved and started again.
 */
int64_t http_call_stuck_in_ms(const struct http_call *call);
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

/* Hands its job back. NULL if it has none. */
struct job *http_call_release(struct http_call *call);

/* The handle for curl_loop_start, and the call of a handle. */
CURL *http_call_easy(const struct http_call *call);
struct http_call *http_call_of(CURL *easy);

/* Its job, borrowed. NULL: it is idle. */
struct job *http_call_job(const struct http_call *call);

/* The ticket of that job. */
const struct destination_ticket *http_call_ticket(const struct http_call *call);

/* host:port of the last prepared job. NULL: preparing it failed. */
const char *http_call_host(const struct http_call *call);

/* Milliseconds since http_call_prepare. */
int64_t http_call_duration_ms(const struct http_call *call);

#endif
