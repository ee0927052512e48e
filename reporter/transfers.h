/*
 * libcurl's multi interface on the daemon's loop: what is started runs by
 * itself and is handed back when it ends. Knows nothing of what is sent.
 */
#ifndef TRANSFERS_H
#define TRANSFERS_H

#include <curl/curl.h>
#include <stddef.h>

#include "loop.h"

struct transfers;

/* Called when a transfer has ended; easy is free to be used again. */
typedef void transfers_ended(void *context, CURL *easy, CURLcode code);

/*
 * How many of wanted transfers may be under way at once with the descriptors
 * that this process may have; at least 1. Raises its limit as far as it may.
 */
size_t transfers_most(size_t wanted);

/*
 * Keeps connections for up to twice most transfers: libcurl counts those in
 * use too, and below the number in flight nothing is used again. most is what
 * transfers_most said. loop is borrowed. NULL where the system refuses.
 */
struct transfers *transfers_open(struct loop *loop, size_t most,
                                 transfers_ended *ended, void *context);

/* None may be under way. */
void transfers_close(struct transfers *transfers);

/*
 * Starts a transfer, which does not end before the loop's next turn. host is
 * any text that is the same for those who can share connections. 0 or -1.
 */
int transfers_start(struct transfers *transfers, CURL *easy, const char *host);

/* Breaks a transfer off, if there is one; ended is not called for it. */
void transfers_stop(struct transfers *transfers, CURL *easy, const char *host);

#endif
