/*
 * TLS on one socket. The first call that reads or writes also makes the
 * handshake, step by step; nothing blocks. Private to this room.
 */
#ifndef TLS_SOCKET_H
#define TLS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tls_context.h"

struct tls_socket;

/* Borrows context and fd. NULL: see tls_context_problem. */
struct tls_socket *tls_socket_open(struct tls_context *context, int fd,
                                   const char *host);

/* Leaves the fd open. */
void tls_socket_close(struct tls_socket *socket);

/*
 * Reads or writes a part of the bytes. Returns their number; 0: not now;
 * -1: the connection is broken, see tls_socket_error. If size is at least 16
 * KB, OpenSSL keeps no bytes back that poll would not see.
 */
ssize_t tls_socket_read(struct tls_socket *socket, char *bytes, size_t size);
ssize_t tls_socket_write(struct tls_socket *socket, const char *bytes,
                         size_t size);

/* As link_look, if no bytes are expected. */
const char *tls_socket_look(struct tls_socket *socket);

/* For poll: what the socket is waited for. unsent: there is more to write. */
short tls_socket_events(const struct tls_socket *socket, bool unsent);

bool tls_socket_is_ready(const struct tls_socket *socket); /* handshake done */

/* Why it is broken, for a log, with what to do. Valid until the next call. */
const char *tls_socket_error(const struct tls_socket *socket);

#endif
