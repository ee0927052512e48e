/*
 * Accepts connections from the web server, and hands out those that have sent
 * a whole request. A connection that has not is set aside for at most
 * LISTENER_PATIENCE_MS, so that a slow or silent peer delays nobody.
 *
 * It watches its sockets in the epoll instance of its user. An epoll instance
 * of its own would be nested in that, and then the kernel would wake every
 * process of the pool and not only one (EPOLLEXCLUSIVE).
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener;

enum { LISTENER_PATIENCE_MS = 2000 };

/*
 * Makes listen_fd non-blocking and watches it in epoll_fd, with event.data.fd
 * set. Both fds are borrowed for its life. NULL if the system refuses (errno).
 */
struct listener *listener_open(int listen_fd, int epoll_fd);

/* Closes the connections that are set aside, but not the two fds. */
void listener_close(struct listener *listener);

/* Tells it that epoll reported an event of fd. */
void listener_note(struct listener *listener, int fd);

/*
 * Milliseconds until there is work without an event; 0 if more requests may be
 * there already, -1 if there never is.
 */
int listener_wait_ms(const struct listener *listener);

/*
 * Fills fds with at most `most` connections that have sent a whole request, and
 * returns their number. They are blocking and close-on-exec, and belong to the
 * caller then. Never blocks, except for 20 ms if the system has no descriptors
 * or memory left.
 */
size_t listener_gather(struct listener *listener, int *fds, size_t most);

/* True if no connection is known to wait or to be set aside. */
bool listener_is_empty(const struct listener *listener);

#endif
