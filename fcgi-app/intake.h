/*
 * New connections from the web server, and which of them have sent a whole
 * request. One that has not is set aside for at most INTAKE_PATIENCE_MS, so
 * that a silent or half-written peer delays nobody.
 *
 * It watches its sockets in the epoll instance of its user, as the kernel
 * wakes only one process of a pool (EPOLLEXCLUSIVE) where nothing is nested.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intake;

enum { INTAKE_PATIENCE_MS = 2000 };

/*
 * Takes connections from listen_fd, which it makes non-blocking, and watches
 * in epoll_fd with event.data.fd set. NULL where the system refuses (errno).
 */
struct intake *intake_open(int listen_fd, int epoll_fd);

/* Closes what was set aside, not the two fds. */
void intake_close(struct intake *intake);

/* Tells it that epoll reported fd. */
void intake_note(struct intake *intake, int fd);

/*
 * Milliseconds until there is something to do without an event: 0 where more
 * may be gathered at once, -1 for never.
 */
int intake_wait_ms(const struct intake *intake);

/*
 * Fills fds with at most most connections that have sent a whole request, all
 * blocking and close-on-exec; they are the caller's then. Never blocks.
 */
size_t intake_gather(struct intake *intake, int *fds, size_t most);

/* True where, as far as is known, no connection waits or is set aside. */
bool intake_is_empty(const struct intake *intake);

#endif
