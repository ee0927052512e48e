/*
 * responder: the event loop. Its events are signals, the connection to Redis,
 * and the sockets of the listener.
 */
#include "responder.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "batch.h"
#include "listener.h"

enum { EVENTS = 64, DRAIN_MS = 2000 };

struct responder {
    struct redis *redis;
    int listen_fd;
    int epoll_fd;
    int signal_fd;
    struct listener *listener;
    struct batch *batch;
    size_t max_batch;
    int *fds;               /* connections that have sent a whole request */
    int64_t drain_until_ms; /* monotonic; 0: not draining */
};

/* Takes the requests that are there and answers them. */
static void
serve_batch(struct responder *responder)
{
    size_t count = listener_gather(responder->listener, responder->fds,
                                   responder->max_batch);

    if (count > 0) {
        batch_serve(responder->batch, responder->fds, count);
    }
}

static void
start_draining(struct responder *responder)
{
    struct signalfd_siginfo info;

    while (read(responder->signal_fd, &info, sizeof(info)) > 0) {
    }
    if (responder->drain_until_ms == 0) {
        responder->drain_until_ms = clock_mono_ms() + DRAIN_MS;
    }
    /* Accept from the backlog once more, even without an event of epoll. */
    listener_note(responder->listener, responder->listen_fd);
}

static int
wait_ms(const struct responder *responder)
{
    int listener_ms = listener_wait_ms(responder->listener);
    int64_t drain_ms = responder->drain_until_ms - clock_mono_ms();

    if (responder->drain_until_ms == 0) {
        return listener_ms;
    }
    drain_ms = drain_ms < 0 ? 0 : drain_ms;
    return listener_ms >= 0 && listener_ms < drain_ms ? listener_ms
                                                      : (int)drain_ms;
}

/* Waits for events and notes them. -1 if epoll fails (errno). */
static int
wait_for_events(struct responder *responder)
{
    struct epoll_event events[EVENTS];
    int count =
        epoll_wait(responder->epoll_fd, events, EVENTS, wait_ms(responder));
    int i;

    if (count < 0) {
        return errno == EINTR ? 0 : -1;
    }
    for (i = 0; i < count; i++) {
        int fd = events[i].data.fd;

        if (fd == redis_fd(responder->redis)) {
            redis_step(responder->redis);
        } else if (fd == responder->signal_fd) {
            start_draining(responder);
        } else {
            listener_note(responder->listener, fd);
        }
    }
    return 0;
}

/* True if it was told to stop, and no request or no time is left. */
static bool
is_drained(const struct responder *responder)
{
    return responder->drain_until_ms != 0 &&
           (listener_is_empty(responder->listener) ||
            clock_mono_ms() >= responder->drain_until_ms);
}

int
responder_run(struct responder *responder)
{
    while (!is_drained(responder)) {
        if (wait_for_events(responder) != 0) {
            return -1;
        }
        serve_batch(responder);
    }
    return 0;
}

static int
watch(const struct responder *responder, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(responder->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * Turns signals into an fd. It also blocks them: FCGX_Init installs handlers
 * that only set a flag of libfcgi, which this loop never sees.
 */
static int
open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool
open_fds(struct responder *responder)
{
    responder->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    responder->signal_fd = open_signals();
    if (responder->epoll_fd < 0 || responder->signal_fd < 0 ||
        watch(responder, responder->signal_fd) != 0 ||
        watch(responder, redis_fd(responder->redis)) != 0) {
        return false;
    }
    responder->listener =
        listener_open(responder->listen_fd, responder->epoll_fd);
    return responder->listener != NULL;
}

struct responder *
responder_open(const struct options *options, int listen_fd,
               struct redis *redis, struct counter *counter)
{
    struct responder *responder = calloc(1, sizeof(*responder));

    if (responder == NULL) {
        return NULL;
    }
    responder->redis = redis;
    responder->listen_fd = listen_fd;
    responder->epoll_fd = -1;
    responder->signal_fd = -1;
    responder->max_batch = (size_t)options->accept.max_batch;
    responder->fds = calloc(responder->max_batch, sizeof(*responder->fds));
    if (responder->fds == NULL || !open_fds(responder) ||
        (responder->batch = batch_open(options, redis, counter)) == NULL) {
        responder_close(responder);
        return NULL;
    }
    return responder;
}

void
responder_close(struct responder *responder)
{
    if (responder == NULL) {
        return;
    }
    listener_close(responder->listener);
    if (responder->signal_fd >= 0) {
        close(responder->signal_fd);
    }
    if (responder->epoll_fd >= 0) {
        close(responder->epoll_fd);
    }
    batch_close(responder->batch);
    free(responder->fds);
    free(responder);
}
