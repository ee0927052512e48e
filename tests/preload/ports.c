/*
 * Preloaded by a program that must run out of local ports: while the file named
 * by NO_PORTS_FILE exists, connect() fails with EADDRNOTAVAIL for IPv4 and TCP.
 * UDP and the unix socket of Redis work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
    const char *path = getenv("NO_PORTS_FILE");
    socklen_t size = sizeof(int);
    int type = 0;

    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    if (type == SOCK_STREAM && address->sa_family == AF_INET && path != NULL &&
        access(path, F_OK) == 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    return (int)syscall(SYS_connect, fd, address, len);
}
