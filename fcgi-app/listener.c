/*
 * listener: accepts a connection, and peeks (MSG_PEEK) at the bytes that are
 * there. If the request is not complete, the connection is set aside. The
 * sockets stay blocking, as libfcgi expects; libfcgi never blocks on them,
 * because it reads only complete requests.
 */
#define _GNU_SOURCE /* accept4 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fcgi_record.h"

enum {
    /* Connections set aside; if there is one more, the oldest is closed. */
    ASIDE_MAX = 256,
    /* More than any request within lighttpd's limits. */
    REQUEST_MAX_BYTES = 64 * 1024,
    SHORTAGE_PAUSE_MS = 20,
};

/* A connection whose request is not all there yet. */
struct aside {
    int fd;
    int64_t until_ms; /* monotonic */
    bool noted;       /* it has sent more since the last scan */
};

struct listener {
    int listen_fd;
    int epoll_fd;
    bool listener_noted;           /* another connection may be waiting */
    struct aside aside[ASIDE_MAX]; /* oldest first */
    size_t aside_count;
    uint8_t bytes[REQUEST_MAX_BYTES];
};

struct listener *
listener_open(int listen_fd, int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                .data.fd = listen_fd};
    int flags = fcntl(listen_fd, F_GETFL);
    struct listener *listener;

    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) {
        return NULL;
    }
    listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return NULL;
    }
    listener->listen_fd = listen_fd;
    listener->epoll_fd = epoll_fd;
    return listener;
}

void
listener_close(struct listener *listener)
{
    size_t i;

    if (listener == NULL) {
        return;
    }
    for (i = 0; i < listener->aside_count; i++) {
        close(listener->aside[i].fd);
    }
    free(listener);
}

void
listener_note(struct listener *listener, int fd)
{
    size_t i;

    if (fd == listener->listen_fd) {
        listener->listener_noted = true;
        return;
    }
    for (i = 0; i < listener->aside_count; i++) {
        if (listener->aside[i].fd == fd) {
            listener->aside[i].noted = true;
        }
    }
}

/*
 * More requests than one batch takes may have become complete; epoll reports
 * each of them only once.
 */
static bool
is_any_noted(const struct listener *listener)
{
    size_t i;

    for (i = 0; i < listener->aside_count; i++) {
        if (listener->aside[i].noted) {
            return true;
        }
    }
    return false;
}

int
listener_wait_ms(const struct listener *listener)
{
    int64_t left_ms;

    if (listener->listener_noted || is_any_noted(listener)) {
        return 0;
    }
    if (listener->aside_count == 0) {
        return -1;
    }
    left_ms = listener->aside[0].until_ms - clock_mono_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

bool
listener_is_empty(const struct listener *listener)
{
    return !listener->listener_noted && listener->aside_count == 0;
}

/* Removes entry i from the list and keeps the order. The fd stays open. */
static void
remove_aside(struct listener *listener, size_t i)
{
    listener->aside_count--;
    for (; i < listener->aside_count; i++) {
        listener->aside[i] = listener->aside[i + 1];
    }
}

/* Keeps fd until the rest of its request comes, or its time is over. */
static void
set_aside(struct listener *listener, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                .data.fd = fd};
    struct aside *aside;

    if (epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return;
    }
    if (listener->aside_count == ASIDE_MAX) {
        close(listener->aside[0].fd);
        remove_aside(listener, 0);
    }
    aside = &listener->aside[listener->aside_count++];
    aside->fd = fd;
    aside->until_ms = clock_mono_ms() + LISTENER_PATIENCE_MS;
    aside->noted = false;
}

static enum fcgi_record_extent
scan(struct listener *listener, int fd)
{
    ssize_t n = recv(fd, listener->bytes, sizeof(listener->bytes),
                     MSG_PEEK | MSG_DONTWAIT);
    enum fcgi_record_extent extent;

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR)
                   ? FCGI_RECORD_PARTIAL
                   : FCGI_RECORD_BROKEN;
    }
    extent = fcgi_record_scan(listener->bytes, (size_t)n);
    if (extent == FCGI_RECORD_PARTIAL && (size_t)n == sizeof(listener->bytes)) {
        return FCGI_RECORD_BROKEN;
    }
    return extent;
}

/* Scans connections that have sent more; closes those whose time is over. */
static size_t
gather_aside(struct listener *listener, int *fds, size_t most)
{
    int64_t now_ms = clock_mono_ms();
    size_t count = 0;
    size_t i = 0;

    while (i < listener->aside_count && count < most) {
        struct aside *aside = &listener->aside[i];
        enum fcgi_record_extent extent = FCGI_RECORD_PARTIAL;

        if (aside->noted) {
            aside->noted = false;
            extent = scan(listener, aside->fd);
        }
        if (extent == FCGI_RECORD_WHOLE) {
            epoll_ctl(listener->epoll_fd, EPOLL_CTL_DEL, aside->fd, NULL);
            fds[count++] = aside->fd;
            remove_aside(listener, i);
        } else if (extent == FCGI_RECORD_BROKEN || now_ms >= aside->until_ms) {
            close(aside->fd);
            remove_aside(listener, i);
        } else {
            i++;
        }
    }
    return count;
}

/*
 * After accept4 failed: true if the next call may succeed at once. If the
 * system is out of descriptors or memory, this waits a little, because epoll
 * would report the listening socket again and again without a pause.
 */
static bool
may_accept_more(int error)
{
    if (error == ECONNABORTED || error == EINTR) {
        return true;
    }
    if (error != EAGAIN) {
        poll(NULL, 0, SHORTAGE_PAUSE_MS);
    }
    return false;
}

static size_t
gather_new(struct listener *listener, int *fds, size_t most)
{
    size_t count = 0;

    while (listener->listener_noted && count < most) {
        int fd = accept4(listener->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            listener->listener_noted = may_accept_more(errno);
            continue;
        }
        switch (scan(listener, fd)) {
        case FCGI_RECORD_WHOLE:
            fds[count++] = fd;
            break;
        case FCGI_RECORD_PARTIAL:
            set_aside(listener, fd);
            break;
        case FCGI_RECORD_BROKEN:
            close(fd);
            break;
        }
    }
    return count;
}

size_t
listener_gather(struct listener *listener, int *fds, size_t most)
{
    size_t count = 0;

    if (listener->aside_count > 0) {
        count = gather_aside(listener, fds, most);
    }
    return count + gather_new(listener, fds + count, most - count);
}
