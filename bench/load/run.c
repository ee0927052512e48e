/*
 * run: request i goes to host i modulo the number of hosts. Each host has its
 * own sequence, so that a slow or dead host takes nothing from the others. In
 * an open loop request i is due at i / rate, and its latency is counted from
 * that moment, even if no connection was free then. So a stall shows in the
 * latency of all requests that it delayed (coordinated omission).
 */
#include "run.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

enum {
    EVENTS = 256,
    TICK_US = 10000, /* between two checks of the time limits */
    REST_US = 10000, /* between a refused connection and the next */
};

struct worker {
    struct link link;
    struct worker *next_idle;
    struct outcome_request request; /* the request under way */
    int64_t rest_until_us;          /* 0: not resting */
};

struct host {
    struct addrinfo *address;
    struct worker *idle; /* stack of the workers that may send */
    uint64_t sent;       /* requests of this host's sequence */
};

struct loop {
    const struct run_options *options;
    const struct plan *plan;
    struct outcome *outcome;
    int epoll_fd;
    struct host *hosts;
    struct worker *workers;
    size_t busy; /* workers with a request under way */
    int64_t begin_us;
    int64_t tick_us; /* next check of the time limits */
};

static int64_t
now_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t
next_index(const struct loop *loop, size_t host)
{
    if (loop->options->mirror) {
        return loop->hosts[host].sent;
    }
    return loop->hosts[host].sent * loop->options->host_count + host;
}

/* When the host's next request is due; -1 if no request is left. */
static int64_t
next_due_us(const struct loop *loop, size_t host, int64_t now)
{
    const struct run_options *options = loop->options;
    uint64_t index = next_index(loop, host);
    int64_t due = now;

    if (options->count > 0 && index >= options->count) {
        return -1;
    }
    if (options->rate > 0) {
        due = loop->begin_us +
              (int64_t)(index * UINT64_C(1000000) / options->rate);
    }
    if (options->seconds > 0 &&
        due >= loop->begin_us + options->seconds * 1000000) {
        return -1;
    }
    return due;
}

static void
make_idle(struct loop *loop, struct worker *worker)
{
    struct host *host = &loop->hosts[worker->request.host];

    worker->next_idle = host->idle;
    host->idle = worker;
}

/* Notes the end of a request. If the connection was refused, waits a little. */
static void
settle(struct loop *loop, struct worker *worker, enum link_state state)
{
    int64_t now = now_us(CLOCK_MONOTONIC);

    loop->busy--;
    if (state == LINK_ANSWERED) {
        outcome_answer(loop->outcome, &worker->request, &worker->link.answer,
                       now);
        make_idle(loop, worker);
        return;
    }
    outcome_fail(loop->outcome, &worker->request, worker->link.error, now);
    if (worker->link.error == OUTCOME_CONNECT) {
        worker->rest_until_us = now + REST_US;
    } else {
        make_idle(loop, worker);
    }
}

static void
start(struct loop *loop, struct worker *worker, int64_t due)
{
    struct host *host = &loop->hosts[worker->request.host];
    char target[PLAN_TARGET_SIZE];

    worker->request.index = next_index(loop, worker->request.host);
    worker->request.start_us = due;
    plan_target(loop->plan, worker->request.index, target);
    host->sent++;
    loop->busy++;
    if (link_send(&worker->link, target) == LINK_FAILED) {
        settle(loop, worker, LINK_FAILED);
    }
}

/*
 * Starts the requests of one host that are due. Returns when the next request
 * is due, as next_due_us does; meaningless if all connections are in use.
 */
static int64_t
feed(struct loop *loop, size_t i)
{
    struct host *host = &loop->hosts[i];
    struct worker *worker;
    int64_t now;
    int64_t due;

    for (;;) {
        now = now_us(CLOCK_MONOTONIC);
        due = next_due_us(loop, i, now);
        worker = host->idle;
        if (due < 0 || due > now || !worker) {
            return due;
        }
        host->idle = worker->next_idle;
        start(loop, worker, due);
    }
}

static void
check_time(struct loop *loop, struct worker *worker, int64_t now)
{
    int64_t limit_us = loop->options->timeout_ms * 1000;

    if (worker->rest_until_us > 0 && worker->rest_until_us <= now) {
        worker->rest_until_us = 0;
        make_idle(loop, worker);
    } else if (worker->link.busy && worker->request.start_us + limit_us < now) {
        link_abandon(&worker->link);
        settle(loop, worker, LINK_FAILED);
    }
}

static void
tick(struct loop *loop, int64_t now)
{
    if (now < loop->tick_us) {
        return;
    }
    loop->tick_us = now + TICK_US;
    for (size_t i = 0; i < loop->options->connections; i++) {
        check_time(loop, &loop->workers[i], now);
    }
}

/* Waits for events until wake_us and handles them. */
static void
wait_events(struct loop *loop, int64_t wake_us)
{
    struct epoll_event events[EVENTS];
    int64_t left_us = wake_us - now_us(CLOCK_MONOTONIC);
    struct timespec timeout = {0};
    int n;

    if (left_us > 0) {
        timeout.tv_nsec = left_us * 1000;
    }
    n = epoll_pwait2(loop->epoll_fd, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < n; i++) {
        struct worker *worker = events[i].data.ptr;
        enum link_state state = link_step(&worker->link, events[i].events);

        if (state == LINK_ANSWERED || state == LINK_FAILED) {
            settle(loop, worker, state);
        }
    }
}

static void
work(struct loop *loop)
{
    bool more = true;
    int64_t wake;
    int64_t due;

    while (more || loop->busy > 0) {
        tick(loop, now_us(CLOCK_MONOTONIC));
        wake = loop->tick_us;
        more = false;
        for (size_t i = 0; i < loop->options->host_count; i++) {
            due = feed(loop, i);
            more = more || due >= 0;
            if (due >= 0 && due < wake && loop->hosts[i].idle) {
                wake = due;
            }
        }
        if (more || loop->busy > 0) {
            wait_events(loop, wake);
        }
    }
}

static int
resolve(const char *name, struct addrinfo **address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(name, ':');
    char *host = colon ? strndup(name, colon - name) : NULL;
    int error = EAI_NONAME;

    if (host) {
        error = getaddrinfo(host, colon + 1, &hints, address);
    }
    if (error) {
        fprintf(stderr, "load: %s: %s\n", name, gai_strerror(error));
    }
    free(host);
    return error ? -1 : 0;
}

static int
prepare(struct loop *loop)
{
    const struct run_options *options = loop->options;

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->hosts = calloc(options->host_count, sizeof(*loop->hosts));
    loop->workers = calloc(options->connections, sizeof(*loop->workers));
    if (loop->epoll_fd < 0 || !loop->hosts || !loop->workers) {
        fprintf(stderr, "load: %s\n", strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < options->host_count; i++) {
        if (resolve(options->hosts[i], &loop->hosts[i].address) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < options->connections; i++) {
        struct worker *worker = &loop->workers[i];
        size_t host = i % options->host_count;

        link_init(&worker->link, loop->epoll_fd, loop->hosts[host].address,
                  options->hosts[host]);
        worker->request.host = host;
        make_idle(loop, worker);
    }
    return 0;
}

static void
clean_up(struct loop *loop)
{
    for (size_t i = 0; loop->workers && i < loop->options->connections; i++) {
        link_fini(&loop->workers[i].link);
    }
    for (size_t i = 0; loop->hosts && i < loop->options->host_count; i++) {
        if (loop->hosts[i].address) {
            freeaddrinfo(loop->hosts[i].address);
        }
    }
    free(loop->workers);
    free(loop->hosts);
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
}

double
run(const struct run_options *options, const struct plan *plan,
    struct outcome *outcome)
{
    struct loop loop = {
        .options = options, .plan = plan, .outcome = outcome, .epoll_fd = -1};
    double seconds = -1;

    if (prepare(&loop) == 0) {
        loop.begin_us = now_us(CLOCK_MONOTONIC);
        outcome->wall_minus_us = now_us(CLOCK_REALTIME) - loop.begin_us;
        work(&loop);
        seconds = (double)(now_us(CLOCK_MONOTONIC) - loop.begin_us) / 1e6;
    }
    clean_up(&loop);
    return seconds;
}
