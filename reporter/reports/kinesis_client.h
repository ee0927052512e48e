/*
 * A signed PutRecord as a libcurl transfer: made for a record, started by
 * whoever has the loop, judged when it has ended.
 */
#ifndef KINESIS_CLIENT_H
#define KINESIS_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>

#include "config/options.h"
#include "kinesis_api.h"
#include "sink.h"

struct kinesis_request;

/*
 * Looks at the endpoint (http or https, host and port alone: Kinesis has no
 * path), and for credentials of visible ASCII in the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for those
 * that are lent). 0, or -1 and why.
 */
int kinesis_client_check(const struct options *options,
                         char why[SINK_WHY_SIZE]);

/* options are borrowed for its life, and checked. NULL: no memory. */
struct kinesis_request *kinesis_client_open(const struct options *options);

/* It may not be under way. */
void kinesis_client_close(struct kinesis_request *request);

/* Makes it the request that puts that record, signed as of now. 0, or -1: no
 * memory, or libcrypto refuses. */
int kinesis_client_prepare(struct kinesis_request *request,
                           const struct window_record *record);

/* What is to be started; the request's own. */
CURL *kinesis_client_easy(const struct kinesis_request *request);

/* Whether it is to be started again, at once: see socket_guard.h. */
bool kinesis_client_is_to_renew(struct kinesis_request *request, CURLcode code);

/* Judges how it ended; why as in kinesis_classify. */
enum kinesis_verdict
kinesis_client_verdict(const struct kinesis_request *request, CURLcode code,
                       char why[KINESIS_WHY_SIZE]);

/* Whether its answer told that our clock is wrong. The next one is right. */
bool kinesis_client_skewed(const struct kinesis_request *request);

#endif
