/*
 * responder: a machine of two states. It waits for events (requests, signals,
 * the connection to Redis), or a batch is under way and it waits for Redis.
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
#include "batch.h"
#include "fcgi_conn.h"
#include "listener.h"
#include "pool_presence.h"

enum { EVENTS = 256, DRAIN_MS = 2000 };

struct responder {
    struct redis *redis;
    struct counter *counter;
    struct pool_stats *stats;
    struct pool_presence *presence;
    struct notify *notify;        /* the service manager; set while it runs */
    enum redis_state redis_state; /* as the manager was told */
    int listen_fd;
    int epoll_fd; /* everything: waited for while no batch is under way */
    int signal_fd;
    struct listener *listener;
    struct batch *batch;
    size_t max_batch;
    struct fcgi_exchange *exchanges; /* the batch's */
    size_t count;                    /* of exchanges */
    bool under_way;                  /* the batch waits for Redis */
    int64_t drain_until_ms;          /* monotonic; 0: not draining */
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
    enum redis_state state = redis_state(responder->redis);

    pool_stats_set_redis_state(responder->stats, state);
    if (state != responder->redis_state && responder->drain_until_ms == 0) {
        responder->redis_state = state;
        notify_send(responder->notify, "STATUS=%s", status_of(state));
    }
}

/* The shorter of two waits in milliseconds; negative: no limit. */
static int64_t
shorter_ms(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : int64_min(a, b);
}

static int
wait_ms(const struct responder *responder)
{
    int64_t ms = shorter_ms(listener_wait_ms(responder->listener),
                            counter_idle_ms(responder->counter));

    ms = shorter_ms(ms, notify_wait_ms(responder->notify));
    ms = shorter_ms(ms, pool_presence_wait_ms(responder->presence));
    if (responder->drain_until_ms != 0) {
        ms = shorter_ms(
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

        if (ptr == &responder->redis) {
            redis_step(responder->redis);
        } else if (ptr == &responder->signal_fd) {
            start_draining(responder);
        } else {
            listener_note(responder->listener, ptr);
        }
    }
    return 0;
}

/*
 * Takes every request that is there and starts to answer them. The batch may be
 * empty: see counter_idle_ms.
 */
static void
start_batch(struct responder *responder)
{
    responder->count = listener_gather(
        responder->listener, responder->exchanges, responder->max_batch);
    if (responder->count > 0 || counter_idle_ms(responder->counter) == 0) {
        responder->under_way = batch_start(
            responder->batch, responder->exchanges, responder->count);
    }
}

/*
 * While the batch is under way only Redis is waited for: a new connection is
 * left to the other responders of the pool, and the next batch gathers
 * meanwhile. To read one's own kept connections meanwhile was measured and does
 * not pay: see docs/performance.md.
 */
static void
step_batch(struct responder *responder)
{
    redis_await(responder->redis);
    responder->under_way = batch_step(responder->batch);
}

static void
end_batch(struct responder *responder)
{
    listener_release(responder->listener, responder->exchanges,
                     responder->count);
    responder->count = 0;
    pool_presence_step(responder->presence);
}

/* True once there is nothing left to drain, or no time left for it. */
static bool
is_drained(const struct responder *responder)
{
    return responder->drain_until_ms != 0 &&
           (listener_is_empty(responder->listener) ||
            clock_mono_ms() >= responder->drain_until_ms);
}

int
responder_run(struct responder *responder, struct notify *notify)
{
    responder->notify = notify;
    responder->redis_state = redis_state(responder->redis);
    tell_state(responder);
    notify_send(notify, "READY=1\nSTATUS=%s",
                status_of(responder->redis_state));
    while (responder->under_way || !is_drained(responder)) {
        if (responder->under_way) {
            step_batch(responder);
        } else if (await_requests(responder) == 0) {
            start_batch(responder);
        } else {
            return -1;
        }
        if (!responder->under_way) {
            end_batch(responder);
        }
        tell_state(responder);
        notify_beat(notify);
    }
    batch_sign_off(responder->batch);
    pool_presence_sign_off(responder->presence);
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
        watch(responder->epoll_fd, redis_fd(responder->redis),
              &responder->redis) != 0) {
        return false;
    }
    of.epoll_fd = responder->epoll_fd;
    responder->listener = listener_open(&of);
    return responder->listener != NULL;
}

struct responder *
responder_open(const struct options *options, int listen_fd,
               struct redis *redis, struct counter *counter,
               struct pool_stats *stats)
{
    struct responder *responder = calloc(1, sizeof(*responder));

    if (responder == NULL) {
        return NULL;
    }
    responder->redis = redis;
    responder->counter = counter;
    responder->stats = stats;
    responder->listen_fd = listen_fd;
    responder->epoll_fd = -1;
    responder->signal_fd = -1;
    responder->max_batch = (size_t)options->accept.max_batch;
    responder->exchanges =
        calloc(responder->max_batch, sizeof(*responder->exchanges));
    responder->batch = batch_open(options, redis, counter, stats);
    responder->presence = pool_presence_open(options, redis, stats);
    if (responder->exchanges == NULL || responder->batch == NULL ||
        responder->presence == NULL || !open_fds(responder, options)) {
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
    pool_presence_close(responder->presence);
    batch_close(responder->batch);
    free(responder->exchanges);
    free(responder);
}
