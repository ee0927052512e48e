/*
 * dial: socket(2) and connect(2), without waiting.
 */
#include "dial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

int
dial_address(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address, len) != 0 && errno != EINPROGRESS) {
        int reason = errno;

        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int
dial_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return dial_address((const struct sockaddr *)&address, sizeof(address));
}
