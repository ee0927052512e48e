/*
 * A listening stream socket at an Internet address or at a path.
 */
#ifndef LISTEN_SOCKET_H
#define LISTEN_SOCKET_H

#include "base/listen_address.h"

/*
 * Listens at the address, which is not none. A socket at the path on which
 * nobody listens any more is replaced; another file is not. A new socket at a
 * path is for its user and group. Returns the fd, which does not block; -1
 * (errno): EADDRINUSE if another program listens there, or the path has another
 * file.
 */
int listen_socket_open(const struct listen_address *address);

/* Removes the path of a socket that listen_socket_open opened. An Internet
   address is fine. */
void listen_socket_remove(const struct listen_address *address);

#endif
