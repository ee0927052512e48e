/*
 * The connections of a responder: takes new ones from the listening socket,
 * watches those that are kept or have sent half a request, and closes those
 * that have been silent for too long. A silent or slow peer delays nobody.
 *
 * All sockets are in the epoll instance of its user: the kernel wakes only one
 * process of a pool (EPOLLEXCLUSIVE) if the instances are not nested.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi_conn.h"

struct listener;

/* How long half a request is waited for. */
enum { LISTENER_PATIENCE_MS = 2000 };

struct listener_options {
    int listen_fd; /* becomes non-blocking */
    int epoll_fd;  /* events carry data.ptr: NULL means the listening socket,
                      all other values are for listener_note */
    int64_t keep_idle_ms; /* how long an idle connection is kept */
};

/* NULL if the system refuses (errno). The two fds stay the caller's. */
struct listener *listener_open(const struct listener_options *options);

/* Closes all connections. */
void listener_close(struct listener *listener);

/*
 * Notes that epoll reported data.ptr. No connection is closed before the next
 * listener_gather, so that a later event of the same epoll_wait is valid.
 */
void listener_note(struct listener *listener, void *ptr);

/*
 * Milliseconds until there is something to do without an event: 0 if more can
 * be gathered at once, -1 for never.
 */
int listener_wait_ms(const struct listener *listener);

/*
 * Reads at most `most` requests into as many exchanges of spare, which has
 * them, and moves these to the end of gathered. Their connections are not read
 * again before listener_release. If there are more requests than that, kept and
 * new connections come first in turn. Returns the number. Never blocks.
 */
size_t listener_gather(struct listener *listener,
                       struct fcgi_exchange_list *spare,
                       struct fcgi_exchange_list *gathered, size_t most);

/* The exchange is answered: its connection is kept, or closed. */
void listener_release(struct listener *listener,
                      const struct fcgi_exchange *exchange);

/*
 * From now on no connection is kept. What has been sent is still gathered: of
 * kept connections, of those that wait in the backlog, and of half requests as
 * long as there is patience.
 */
void listener_drain(struct listener *listener);

/* True if, as far as is known, no connection waits or is under way. */
bool listener_is_empty(const struct listener *listener);

#endif
