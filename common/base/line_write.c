/*
 * line_write: poll(2) before write(2), because O_NONBLOCK belongs to the open
 * file that all programs with the descriptor share. If poll reports a pipe
 * writable, PIPE_BUF bytes fit into it.
 */
#include "line_write.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

/* True also if a write fails at once, for example on a pipe without readers. */
static bool
returns_at_once(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    int n;

    do {
        n = poll(&pollfd, 1, 0);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

ssize_t
line_write(int fd, const char *line, size_t len)
{
    ssize_t written;

    if (!returns_at_once(fd)) {
        errno = EAGAIN;
        return -1;
    }
    do {
        written = write(fd, line, len);
    } while (written < 0 && errno == EINTR);
    return written;
}
