/*
 * One attempt at a time to deliver a job: a libcurl handle with its settings,
 * and the memory of what is being sent. Made once, used for one job after
 * another. It neither decides nor waits.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "fair_queue.h"
#include "net/dns_cache.h"
#include "retry_policy.h"
#include "settings.h"
#include "store/job.h"

struct http_call;

/* terms is borrowed for its life. NULL: no memory. */
struct http_call *http_call_open(const struct settings *settings);

/* Not while its transfer is under way. Does not free a job that it has. */
void http_call_close(struct http_call *call);

/*
 * Makes ready to send job, which it has until http_call_release, and starts its
 * clock. 0, or -1 for want of memory.
 */
int http_call_prepare(struct http_call *call, struct job *job,
                      const struct destination_ticket *ticket);

/*
 * What has to be looked up before it may start; NULL: nothing. And what was
 * found, as dns_cache_lookup says it; to be called right before the start, in
 * any case: whatever its time limit has left is for the transfer. 0, or -1 for
 * want of memory.
 */
const char *http_call_name(const struct http_call *call);
int http_call_resolve(struct http_call *call, const char *addresses);

/*
 * After its transfer ended with code: whether it is to be resolved and started
 * again, at once. See socket_guard.h.
 */
bool http_call_is_to_renew(struct http_call *call, CURLcode code);

/* Gives its job back; NULL where it has none. */
struct job *http_call_release(struct http_call *call);

/* The handle to be given to curl_loop_start; and the way back. */
CURL *http_call_easy(const struct http_call *call);
struct http_call *http_call_of(CURL *easy);

/* The job that it has; NULL where it is idle. */
const struct job *http_call_job(const struct http_call *call);

/* Of that job: its ticket, and its wait for a name, whose context it is. */
const struct destination_ticket *http_call_ticket(const struct http_call *call);
struct dns_cache_wait *http_call_wait(struct http_call *call);

/* Whom it calls, or called last: host:port; NULL: it could not be prepared. */
const char *http_call_host(const struct http_call *call);

/* Why the guard refused the address; "" where it did not. */
const char *http_call_refusal(const struct http_call *call);

/* Milliseconds since http_call_prepare. */
int64_t http_call_duration_ms(const struct http_call *call);

/* What is known after the transfer ended with code. */
struct retry_policy_facts http_call_facts(const struct http_call *call,
                                          CURLcode code);

#endif
