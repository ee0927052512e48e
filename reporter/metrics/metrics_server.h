/*
 * GET /metrics at metrics.listen, on the event loop. If the address is busy,
 * or its path is removed, that is logged, and tried again until it works.
 *
 * A client cannot hold the loop: each has one request and a time limit, and
 * there is a limit on clients.
 */
#ifndef METRICS_SERVER_H
#define METRICS_SERVER_H

#include <stdbool.h>

#include "config/options.h"
#include "metrics.h"
#include "net/event_loop.h"

enum {
    METRICS_SERVER_CLIENTS = 16,     /* others wait in the backlog */
    METRICS_SERVER_CLIENT_MS = 5000, /* from connect to the whole answer */
    METRICS_SERVER_LOOK_MS = 5000,   /* between looks whether it is reachable */
};

/* False if metrics.listen is none. */
bool metrics_server_wanted(const struct options *options);

struct metrics_server;

/* All arguments are borrowed for its life. NULL: no memory. */
struct metrics_server *metrics_server_open(const struct options *options,
                                           struct event_loop *loop,
                                           struct metrics *metrics);
void metrics_server_close(struct metrics_server *server);

#endif
