/*
 * event_loop: watches are in a table indexed by fd, timers in a list sorted by
 * due time. Each watch has a generation, which epoll returns with its events.
 * If a handler stops watching an fd, or closes it and opens another with the
 * same number, old events of the same batch have an old generation and are
 * ignored.
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
    struct event_loop_timer *timers; /* the armed timers, sorted by due time */
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

/* The watch of fd; the table grows if it is too small. NULL: no memory. */
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
 * Adds or changes a watch in epoll. If the fd was closed, the kernel has
 * removed the watch and the table has not: then ENOENT says that it must be
 * added.
 */
static int
set_epoll(struct event_loop *loop, int fd, uint32_t events,
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
    if (watch == NULL || set_epoll(loop, fd, events, watch) < 0) {
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
 * Runs the timers that are due at the start of the call, and no others: if a
 * handler arms its timer again without delay, fds must still get their turn.
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

/* The time until the first timer is due, for epoll_wait; -1: no timer. */
static int
wait_ms(const struct event_loop *loop)
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
    /* An earlier handler of this batch may have changed the wanted events. */
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
        count = epoll_wait(loop->epoll_fd, events, BATCH, wait_ms(loop));
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
