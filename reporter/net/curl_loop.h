/*
 * libcurl's multi interface on the daemon's loop: what is started runs by
 * itself and is handed back when it ends. Knows nothing of what is sent.
 */
#ifndef CURL_LOOP_H
#define CURL_LOOP_H

#include <curl/curl.h>
#include <stddef.h>

#include "event_loop.h"

struct curl_loop;

/* Called when a transfer has ended; easy is free to be used again. */
typedef void curl_loop_ended(void *context, CURL *easy, CURLcode code);

/*
 * How many of wanted transfers may be under way at once with the descriptors
 * that this process may have; at least 1. Raises its limit as far as it may.
 */
size_t curl_loop_capacity(size_t wanted);

/*
 * Keeps connections for up to twice most transfers: libcurl counts those in
 * use too, and below the number in flight nothing is used again. most is what
 * curl_loop_capacity said. loop is borrowed. NULL where the system refuses.
 */
struct curl_loop *curl_loop_open(struct event_loop *loop, size_t most,
                                 curl_loop_ended *ended, void *context);

/* None may be under way. */
void curl_loop_close(struct curl_loop *curl);

/*
 * Starts a transfer, which does not end before the loop's next turn. host is
 * any text that is the same for those who can share connections. 0 or -1.
 */
int curl_loop_start(struct curl_loop *curl, CURL *easy, const char *host);

/* Breaks a transfer off, if there is one; ended is not called for it. */
void curl_loop_stop(struct curl_loop *curl, CURL *easy, const char *host);

#endif
