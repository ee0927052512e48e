/*
 * intake: accepts, looks (MSG_PEEK) whether a request is all there, and sets
 * aside what is not. The sockets stay blocking, as libfcgi expects: by then
 * all that it reads is there.
 */
#define _GNU_SOURCE /* accept4 */
#include "intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "record.h"

enum {
    /* So many peers that stall at once; with one more the oldest goes. */
    ASIDE_MAX = 256,
    /* More than any request under lighttpd's limits. */
    REQUEST_MAX_BYTES = 64 * 1024,
    SHORTAGE_PAUSE_MS = 20,
};

/* A connection whose request is not all there yet. */
struct aside {
    int fd;
    int64_t until_ms; /* monotonic */
    bool noted;       /* it has sent more since it was looked at */
};

struct intake {
    int listen_fd;
    int epoll_fd;
    bool listener_noted;           /* accept4 may find another connection */
    struct aside aside[ASIDE_MAX]; /* oldest first */
    size_t aside_count;
    uint8_t bytes[REQUEST_MAX_BYTES];
};

struct intake *
intake_open(int listen_fd, int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                .data.fd = listen_fd};
    int flags = fcntl(listen_fd, F_GETFL);
    struct intake *intake;

    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) {
        return NULL;
    }
    intake = calloc(1, sizeof(*intake));
    if (intake == NULL) {
        return NULL;
    }
    intake->listen_fd = listen_fd;
    intake->epoll_fd = epoll_fd;
    return intake;
}

void
intake_close(struct intake *intake)
{
    size_t i;

    if (intake == NULL) {
        return;
    }
    for (i = 0; i < intake->aside_count; i++) {
        close(intake->aside[i].fd);
    }
    free(intake);
}

void
intake_note(struct intake *intake, int fd)
{
    size_t i;

    if (fd == intake->listen_fd) {
        intake->listener_noted = true;
        return;
    }
    for (i = 0; i < intake->aside_count; i++) {
        if (intake->aside[i].fd == fd) {
            intake->aside[i].noted = true;
        }
    }
}

/* More than one batch may have become whole: their events do not come again. */
static bool
is_any_noted(const struct intake *intake)
{
    size_t i;

    for (i = 0; i < intake->aside_count; i++) {
        if (intake->aside[i].noted) {
            return true;
        }
    }
    return false;
}

int
intake_wait_ms(const struct intake *intake)
{
    int64_t left_ms;

    if (intake->listener_noted || is_any_noted(intake)) {
        return 0;
    }
    if (intake->aside_count == 0) {
        return -1;
    }
    left_ms = intake->aside[0].until_ms - clock_mono_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

bool
intake_is_empty(const struct intake *intake)
{
    return !intake->listener_noted && intake->aside_count == 0;
}

/* Removes place i from the list, keeping its order. The fd stays open. */
static void
forget(struct intake *intake, size_t i)
{
    intake->aside_count--;
    for (; i < intake->aside_count; i++) {
        intake->aside[i] = intake->aside[i + 1];
    }
}

/* Keeps fd until the rest of its request comes, or its patience ends. */
static void
set_aside(struct intake *intake, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                .data.fd = fd};
    struct aside *aside;

    if (epoll_ctl(intake->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return;
    }
    if (intake->aside_count == ASIDE_MAX) {
        close(intake->aside[0].fd);
        forget(intake, 0);
    }
    aside = &intake->aside[intake->aside_count++];
    aside->fd = fd;
    aside->until_ms = clock_mono_ms() + INTAKE_PATIENCE_MS;
    aside->noted = false;
}

static enum record_extent
look(struct intake *intake, int fd)
{
    ssize_t n =
        recv(fd, intake->bytes, sizeof(intake->bytes), MSG_PEEK | MSG_DONTWAIT);
    enum record_extent extent;

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? RECORD_PARTIAL
                                                            : RECORD_BROKEN;
    }
    extent = record_scan(intake->bytes, (size_t)n);
    if (extent == RECORD_PARTIAL && (size_t)n == sizeof(intake->bytes)) {
        return RECORD_BROKEN;
    }
    return extent;
}

/* Looks again at those that have sent more; gives up those out of patience. */
static size_t
gather_aside(struct intake *intake, int *fds, size_t most)
{
    int64_t now_ms = clock_mono_ms();
    size_t count = 0;
    size_t i = 0;

    while (i < intake->aside_count && count < most) {
        struct aside *aside = &intake->aside[i];
        enum record_extent extent = RECORD_PARTIAL;

        if (aside->noted) {
            aside->noted = false;
            extent = look(intake, aside->fd);
        }
        if (extent == RECORD_WHOLE) {
            epoll_ctl(intake->epoll_fd, EPOLL_CTL_DEL, aside->fd, NULL);
            fds[count++] = aside->fd;
            forget(intake, i);
        } else if (extent == RECORD_BROKEN || now_ms >= aside->until_ms) {
            close(aside->fd);
            forget(intake, i);
        } else {
            i++;
        }
    }
    return count;
}

/*
 * After accept4 failed: is there another connection to take? Where the system
 * is out of descriptors or memory, epoll would report the listener again at
 * once, and again: waiting a little is all that can be done.
 */
static bool
is_worth_another(int error)
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
gather_new(struct intake *intake, int *fds, size_t most)
{
    size_t count = 0;

    while (intake->listener_noted && count < most) {
        int fd = accept4(intake->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            intake->listener_noted = is_worth_another(errno);
            continue;
        }
        switch (look(intake, fd)) {
        case RECORD_WHOLE:
            fds[count++] = fd;
            break;
        case RECORD_PARTIAL:
            set_aside(intake, fd);
            break;
        case RECORD_BROKEN:
            close(fd);
            break;
        }
    }
    return count;
}

size_t
intake_gather(struct intake *intake, int *fds, size_t most)
{
    size_t count = 0;

    if (intake->aside_count > 0) {
        count = gather_aside(intake, fds, most);
    }
    return count + gather_new(intake, fds + count, most - count);
}
