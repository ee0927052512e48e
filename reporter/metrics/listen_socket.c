/*
 * listen_socket: the file of a unix socket stays if its program is killed, so
 * that a bind to its path fails for ever. A connect tells whether anybody
 * listens there. Of two programs that replace such a file at the same time, one
 * may take away the file of the other: listen_socket_is_reachable tells.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "listen_socket.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 128,
    SOCKET_UMASK = 0117, /* mode 0660 */
};

static const char *
path_of(const struct listen_address *address)
{
    return address->address.ss_family == AF_UNIX
               ? ((const struct sockaddr_un *)&address->address)->sun_path
               : NULL;
}

static int
open_socket(const struct listen_address *address)
{
    return socket(address->address.ss_family,
                  SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* True if the path has a socket on which nobody listens. */
static bool
is_stale(const struct listen_address *address, const char *path)
{
    struct stat status;
    bool stale = false;
    int fd;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    fd = open_socket(address);
    if (fd >= 0) {
        stale = connect(fd, (const struct sockaddr *)&address->address,
                        address->len) != 0 &&
                errno == ECONNREFUSED;
        close(fd);
    }
    return stale;
}

/* 0, or -1 (errno). */
static int
bind_to(int fd, const struct listen_address *address)
{
    static const int on = 1;
    const char *path = path_of(address);
    mode_t before;
    int result;

    if (path == NULL) {
        /* Else the port of a killed reporter is busy for a minute. */
        (void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        return bind(fd, (const struct sockaddr *)&address->address,
                    address->len);
    }
    if (is_stale(address, path)) {
        unlink(path);
    }
    before = umask(SOCKET_UMASK);
    result = bind(fd, (const struct sockaddr *)&address->address, address->len);
    umask(before);
    return result;
}

/* Notes which file the path is now. */
static int
note_file(struct listen_socket *socket)
{
    const char *path = path_of(&socket->address);
    struct stat status;

    if (path == NULL) {
        return 0;
    }
    if (lstat(path, &status) != 0) {
        return -1;
    }
    socket->device = status.st_dev;
    socket->inode = status.st_ino;
    return 0;
}

int
listen_socket_open(struct listen_socket *socket)
{
    int fd = open_socket(&socket->address);
    int reason;

    if (fd < 0) {
        return -1;
    }
    if (bind_to(fd, &socket->address) == 0 && listen(fd, BACKLOG) == 0 &&
        note_file(socket) == 0) {
        return fd;
    }
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

bool
listen_socket_is_reachable(const struct listen_socket *socket)
{
    const char *path = path_of(&socket->address);
    struct stat status;

    return path == NULL ||
           (lstat(path, &status) == 0 && status.st_dev == socket->device &&
            status.st_ino == socket->inode);
}

void
listen_socket_remove(const struct listen_socket *socket)
{
    const char *path = path_of(&socket->address);

    if (path != NULL && listen_socket_is_reachable(socket)) {
        unlink(path);
    }
}
