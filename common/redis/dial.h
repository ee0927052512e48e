/*
 * Starts a stream connection without waiting for it: the socket is
 * non-blocking and close-on-exec. Whether it was made shows when it is
 * written to.
 */
#ifndef DIAL_H
#define DIAL_H

#include <sys/socket.h>

/* To an address, or to a unix socket's path (of at most 107 bytes). Returns
 * the socket, or -1 (errno). */
int dial_address(const struct sockaddr *address, socklen_t len);
int dial_path(const char *path);

#endif
