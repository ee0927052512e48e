/*
 * New connections from the web server, and which of them have sent a whole
 * request. One that has not is set aside for at most LISTENER_PATIENCE_MS, so
 * that a silent or half-written peer delays nobody.
 *
 * It watches its sockets in the epoll instance of its user, as the kernel
 * wakes only one process of a pool (EPOLLEXCLUSIVE) where nothing is nested.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener;

enum { LISTENER_PATIENCE_MS = 2000 };

/*
 * Takes connections from listen_fd, which it makes non-blocking, and watches
 * in epoll_fd with event.data.fd set. NULL where the system refuses (errno).
 */
struct listener *listener_open(int listen_fd, int epoll_fd);

/* Closes what was set aside, not the two fds. */
void listener_close(struct listener *listener);

/* Tells it that epoll reported fd. */
void listener_note(struct listener *listener, int fd);

/*
 * Milliseconds until there is something to do without an event: 0 where more
 * may be gathered at once, -1 for never.
 */
int listener_wait_ms(const struct listener *listener);

/*
 * Fills fds with at most most connections that have sent a whole request, all
 * blocking and close-on-exec; they are the caller's then. Never blocks.
 */
size_t listener_gather(struct listener *listener, int *fds, size_t most);

/* True where, as far as is known, no connection waits or is set aside. */
bool listener_is_empty(const struct listener *listener);

#endif
