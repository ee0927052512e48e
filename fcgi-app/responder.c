/*
 * responder: a machine of two states. It waits for events (requests, signals,
 * the connections to Redis), or a round is under way and it waits for Redis.
 */
#include "responder.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "fcgi_conn.h"
#include "listener.h"
#include "round.h"

enum { EVENTS = 256, DRAIN_MS = 2000 };

struct responder {
    struct store *store;
    struct pool_stats *stats;
    struct notify *notify;        /* the service manager; set while it runs */
    enum redis_state redis_state; /* as the manager was told */
    int listen_fd;
    int epoll_fd; /* everything: waited for while no round is under way */
    int signal_fd;
    struct listener *listener;
    struct round *round;
    struct fcgi_exchange *exchanges; /* all that may be held at a time */
    size_t used;                     /* of exchanges: have been in use */
    struct fcgi_exchange_list spare; /* of these: are free now */
    size_t spare_count;
    int64_t drain_until_ms; /* monotonic; 0: not draining */
};

static void
start_draining(struct responder *responder)
{
    struct signalfd_siginfo info;

    while (read(responder->signal_fd, &info, sizeof(info)) > 0) {
    }
    if (responder->drain_until_ms == 0) {
        responder->drain_until_ms = clock_mono_ms() + DRAIN_MS;
        listener_drain(responder->listener);
        notify_send(responder->notify,
                    "STOPPING=1\nSTATUS=Answers what has arrived");
    }
}

static const char *
status_of(enum redis_state state)
{
    switch (state) {
    case REDIS_STATE_UP:
        return "Serves";
    case REDIS_STATE_CONNECTING:
        return "Connects to Redis";
    case REDIS_STATE_DOWN:
        return "Redis does not answer: nothing is counted";
    case REDIS_STATE_UNUSABLE:
        return "Redis cannot be used, see the log: nothing is counted";
    }
    return "";
}

/* Tells the metrics about Redis, and the service manager if that has changed.
 */
static void
tell_state(struct responder *responder)
{
    enum redis_state state = store_state(responder->store);

    pool_stats_set_redis_state(responder->stats, state);
    if (state != responder->redis_state && responder->drain_until_ms == 0) {
        responder->redis_state = state;
        notify_send(responder->notify, "STATUS=%s", status_of(state));
    }
}

static int
wait_ms(const struct responder *responder)
{
    int64_t ms = wait_shorter_ms(listener_wait_ms(responder->listener),
                                 round_wait_ms(responder->round));

    ms = wait_shorter_ms(ms, notify_wait_ms(responder->notify));
    if (responder->drain_until_ms != 0) {
        ms = wait_shorter_ms(
            ms, int64_max(responder->drain_until_ms - clock_mono_ms(), 0));
    }
    return (int)ms;
}

/* Waits for requests and notes what has come. -1 if epoll fails. */
static int
await_requests(struct responder *responder)
{
    struct epoll_event events[EVENTS];
    int count =
        epoll_wait(responder->epoll_fd, events, EVENTS, wait_ms(responder));

    if (count < 0) {
        return errno == EINTR ? 0 : -1;
    }
    for (int i = 0; i < count; i++) {
        void *ptr = events[i].data.ptr;

        if (ptr == &responder->store) {
            store_step(responder->store);
        } else if (ptr == &responder->signal_fd) {
            start_draining(responder);
        } else {
            listener_note(responder->listener, ptr);
        }
    }
    return 0;
}

/* Has as many spare exchanges as a round may need. */
static void
prepare_exchanges(struct responder *responder)
{
    while (responder->spare_count < round_most(responder->round) &&
           responder->used < round_most_held(responder->round)) {
        struct fcgi_exchange *exchange = &responder->exchanges[responder->used];

        STAILQ_INSERT_TAIL(&responder->spare, exchange, link);
        responder->used++;
        responder->spare_count++;
    }
}

/* Takes every request that is there and starts to answer them. */
static void
start_round(struct responder *responder)
{
    struct fcgi_exchange_list gathered = STAILQ_HEAD_INITIALIZER(gathered);

    prepare_exchanges(responder);
    responder->spare_count -= listener_gather(
        responder->listener, &responder->spare, &gathered,
        size_min(responder->spare_count, round_most(responder->round)));
    round_start(responder->round, &gathered);
}

/* The last that was used is used first: its memory is in the cache. */
static void
release_answered(struct responder *responder)
{
    struct fcgi_exchange *exchange;

    while ((exchange = round_answered(responder->round)) != NULL) {
        listener_release(responder->listener, exchange);
        STAILQ_INSERT_HEAD(&responder->spare, exchange, link);
        responder->spare_count++;
    }
}

/* True once there is nothing left to drain, or no time left for it. */
static bool
is_drained(const struct responder *responder)
{
    return responder->drain_until_ms != 0 &&
           ((listener_is_empty(responder->listener) &&
             round_is_idle(responder->round)) ||
            clock_mono_ms() >= responder->drain_until_ms);
}

int
responder_run(struct responder *responder, struct notify *notify)
{
    struct round *round = responder->round;
    bool under_way;

    responder->notify = notify;
    responder->redis_state = store_state(responder->store);
    tell_state(responder);
    notify_send(notify, "READY=1\nSTATUS=%s",
                status_of(responder->redis_state));
    while ((under_way = round_is_under_way(round)) || !is_drained(responder)) {
        if (under_way) {
            round_step(round);
        } else if (await_requests(responder) == 0) {
            start_round(responder);
        } else {
            return -1;
        }
        release_answered(responder);
        tell_state(responder);
        notify_beat(notify);
    }
    round_end(round);
    release_answered(responder);
    return 0;
}

static int
watch(int epoll_fd, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Signals become readable. */
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
open_fds(struct responder *responder, const struct options *options)
{
    struct listener_options of = {.listen_fd = responder->listen_fd,
                                  .keep_idle_ms =
                                      options->accept.keep_idle_s * 1000};

    responder->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    responder->signal_fd = open_signals();
    if (responder->epoll_fd < 0 || responder->signal_fd < 0 ||
        watch(responder->epoll_fd, responder->signal_fd,
              &responder->signal_fd) != 0 ||
        watch(responder->epoll_fd, store_fd(responder->store),
              &responder->store) != 0) {
        return false;
    }
    of.epoll_fd = responder->epoll_fd;
    responder->listener = listener_open(&of);
    return responder->listener != NULL;
}

struct responder *
responder_open(const struct options *options, int listen_fd,
               struct store *store, struct pool_stats *stats)
{
    struct responder *responder = calloc(1, sizeof(*responder));

    if (responder == NULL) {
        return NULL;
    }
    responder->store = store;
    responder->stats = stats;
    responder->listen_fd = listen_fd;
    responder->epoll_fd = -1;
    responder->signal_fd = -1;
    STAILQ_INIT(&responder->spare);
    responder->round = round_open(options, store, stats);
    if (responder->round != NULL) {
        responder->exchanges = calloc(round_most_held(responder->round),
                                      sizeof(*responder->exchanges));
    }
    if (responder->exchanges == NULL || !open_fds(responder, options)) {
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
    round_close(responder->round);
    free(responder->exchanges);
    free(responder);
}
