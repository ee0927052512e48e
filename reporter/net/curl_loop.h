/*
 * Runs transfers of libcurl's multi interface on the event loop: it starts them
 * and calls a function at the end of each. It knows nothing of what is sent.
 */
#ifndef CURL_LOOP_H
#define CURL_LOOP_H

#include <curl/curl.h>
#include <stddef.h>

#include "event_loop.h"

struct curl_loop;

/* Called at the end of a transfer; easy may be used again. */
typedef void curl_loop_ended(void *context, CURL *easy, CURLcode code);

/*
 * Raises this process's limit of open files (RLIMIT_NOFILE) to its hard limit.
 * Returns how many transfers may be under way at once within it: wanted or
 * fewer, at least 1.
 */
size_t curl_loop_raise_fd_limit(size_t wanted);

enum {
    CURL_LOOP_IDLE_MAX_S = 60, /* an idle connection is closed after this */
    CURL_LOOP_LIFETIME_MAX_S = 120, /* an older connection is not used again, so
                                       that a name that moves is followed */
};

/*
 * max_transfers is the result of curl_loop_raise_fd_limit. There are at most
 * twice as many connections, with those in use. loop is borrowed. NULL: the
 * system refuses.
 */
struct curl_loop *curl_loop_open(struct event_loop *loop, size_t max_transfers,
                                 curl_loop_ended *ended, void *context);

/* No transfer may be under way. */
void curl_loop_close(struct curl_loop *curl);

/*
 * Starts a transfer, which ends at the next turn of the loop or later, of http
 * or https only: with another scheme it fails. host is
 * a text that is equal for transfers that can use the same connection, such as
 * host:port. 0 or -1.
 */
int curl_loop_start(struct curl_loop *curl, CURL *easy, const char *host);

/* Stops a transfer under way, without a call of ended. */
void curl_loop_stop(struct curl_loop *curl, CURL *easy, const char *host);

#endif
