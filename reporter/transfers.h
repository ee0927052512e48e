/*
 * libcurl's multi interface on the daemon's loop: what is started runs by
 * itself and is handed back when it ends. Knows nothing of what is sent.
 */
#ifndef TRANSFERS_H
#define TRANSFERS_H

#include <curl/curl.h>

#include "loop.h"

struct transfers;

/* Called when a transfer has ended; easy is free to be used again. */
typedef void transfers_ended(void *context, CURL *easy, CURLcode code);

/*
 * Keeps connections for up to twice most transfers: libcurl counts those in
 * use too, and below the number in flight nothing is used again. Raises the
 * process's limit of open files as far as it may. loop is borrowed. NULL where
 * the system refuses.
 */
struct transfers *transfers_open(struct loop *loop, long most,
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
