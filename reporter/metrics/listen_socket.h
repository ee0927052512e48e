/*
 * A listening stream socket at an Internet address or at a path.
 */
#ifndef LISTEN_SOCKET_H
#define LISTEN_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/listen_address.h"

struct listen_socket {
    struct listen_address address; /* set by the user; not none */
    dev_t device;                  /* of its path, if it has one ... */
    ino_t inode;                   /* ... which tells it from another file */
};

/*
 * Listens at the address. A socket at the path on which nobody listens any more
 * is replaced; another file is not. A new socket at a path is for its user and
 * group. Returns the fd, which does not block; -1 (errno): EADDRINUSE if
 * another program listens there, or the path has another file.
 */
int listen_socket_open(struct listen_socket *socket);

/* False if its path was removed or replaced, so that no client can connect. */
bool listen_socket_is_reachable(const struct listen_socket *socket);

/* Removes its path, if that is still its own. */
void listen_socket_remove(const struct listen_socket *socket);

#endif
