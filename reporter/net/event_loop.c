/*
 * Watches are a table by fd number; timers a list sorted by due time. Each
 * watch has a generation that travels with its events, so that an event of an
 * fd that was forgotten, or closed and opened anew, earlier in the same batch
 * is not mistaken for one of the fd that now has its number.
 */
#include "event_loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum { BATCH = 64 };

struct watch {
    event_loop_fd_handler *handler; /* NULL: not watched */
    void *context;
    uint32_t events;
    uint32_t generation;
};

struct event_loop {
    int epoll_fd;
    struct watch *watches; /* by fd */
    size_t watch_count;
    struct event_loop_timer *timers; /* armed, the first due first */
    bool stopped;
};

struct event_loop *
event_loop_open(void)
{
    struct event_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return NULL;
    }
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

void
event_loop_close(struct event_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    close(loop->epoll_fd);
    free(loop->watches);
    free(loop);
}

static struct watch *
watch_of(struct event_loop *loop, int fd)
{
    if (fd < 0 || (size_t)fd >= loop->watch_count) {
        return NULL;
    }
    return &loop->watches[fd];
}

/* The watch of fd, in a table that is grown where needed; NULL: no memory. */
static struct watch *
watch_make(struct event_loop *loop, int fd)
{
    struct watch *watches;
    size_t count = loop->watch_count ? loop->watch_count : BATCH;

    if ((size_t)fd < loop->watch_count) {
        return &loop->watches[fd];
    }
    while (count <= (size_t)fd) {
        count *= 2;
    }
    watches = realloc(loop->watches, count * sizeof(*watches));
    if (watches == NULL) {
        return NULL;
    }
    for (size_t i = loop->watch_count; i < count; i++) {
        watches[i] = (struct watch){0};
    }
    loop->watches = watches;
    loop->watch_count = count;
    return &watches[fd];
}

/*
 * Adds or changes, whichever the kernel wants: it drops a closed fd by itself,
 * so that we may believe in a watch that it no longer knows.
 */
static int
tell_kernel(struct event_loop *loop, int fd, uint32_t events,
            const struct watch *watch)
{
    struct epoll_event event = {.events = events};

    event.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd;
    if (watch->handler != NULL &&
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0) {
        return 0;
    }
    if (watch->handler != NULL && errno != ENOENT) {
        return -1;
    }
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int
event_loop_watch(struct event_loop *loop, int fd, uint32_t events,
                 event_loop_fd_handler *handler, void *context)
{
    struct watch *watch;

    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    watch = watch_make(loop, fd);
    if (watch == NULL || tell_kernel(loop, fd, events, watch) < 0) {
        return -1;
    }
    watch->handler = handler;
    watch->context = context;
    watch->events = events;
    return 0;
}

void
event_loop_forget(struct event_loop *loop, int fd)
{
    struct watch *watch = watch_of(loop, fd);

    if (watch == NULL || watch->handler == NULL) {
        return;
    }
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    watch->handler = NULL;
    watch->generation++;
}

void
event_loop_arm(struct event_loop *loop, struct event_loop_timer *timer,
               int64_t delay_ms)
{
    struct event_loop_timer **place = &loop->timers;

    event_loop_disarm(loop, timer);
    timer->due_ms = clock_mono_ms() + delay_ms;
    while (*place != NULL && (*place)->due_ms <= timer->due_ms) {
        place = &(*place)->next;
    }
    timer->next = *place;
    timer->armed = true;
    *place = timer;
}

void
event_loop_disarm(struct event_loop *loop, struct event_loop_timer *timer)
{
    struct event_loop_timer **place = &loop->timers;

    if (!timer->armed) {
        return;
    }
    while (*place != timer) {
        place = &(*place)->next;
    }
    *place = timer->next;
    timer->next = NULL;
    timer->armed = false;
}

/*
 * Runs the timers that are due now. Only as many as there are at the start: a
 * timer that arms itself anew without delay must not starve the fds.
 */
static void
run_timers(struct event_loop *loop)
{
    int64_t now_ms = clock_mono_ms();
    struct event_loop_timer *timer;
    size_t due = 0;

    for (timer = loop->timers; timer && timer->due_ms <= now_ms;
         timer = timer->next) {
        due++;
    }
    while (due-- > 0 && !loop->stopped) {
        timer = loop->timers;
        if (timer == NULL || timer->due_ms > now_ms) {
            return;
        }
        event_loop_disarm(loop, timer);
        timer->handler(timer->context);
    }
}

/* How long epoll may wait, in milliseconds; -1: for ever. */
static int
patience_ms(const struct event_loop *loop)
{
    int64_t left_ms;

    if (loop->timers == NULL) {
        return -1;
    }
    left_ms = loop->timers->due_ms - clock_mono_ms();
    if (left_ms < 0) {
        return 0;
    }
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void
run_event(struct event_loop *loop, const struct epoll_event *event)
{
    int fd = (int)(uint32_t)event->data.u64;
    struct watch *watch = watch_of(loop, fd);
    uint32_t events;

    if (watch == NULL || watch->generation != event->data.u64 >> 32) {
        return;
    }
    /* A handler before us may have changed what this fd is watched for. */
    events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
    if (events != 0) {
        watch->handler(watch->context, fd, events);
    }
}

int
event_loop_run(struct event_loop *loop)
{
    struct epoll_event events[BATCH];
    int count;

    loop->stopped = false;
    while (!loop->stopped) {
        count = epoll_wait(loop->epoll_fd, events, BATCH, patience_ms(loop));
        if (count < 0 && errno != EINTR) {
            return -1;
        }
        for (int i = 0; i < count && !loop->stopped; i++) {
            run_event(loop, &events[i]);
        }
        run_timers(loop);
    }
    return 0;
}

void
event_loop_stop(struct event_loop *loop)
{
    loop->stopped = true;
}
