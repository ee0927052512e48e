/*
 * worker_process: opens what the worker's task needs, says that it is ready,
 * and runs the event loop. The modules do the work.
 */
#include "worker_process.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "callbacks/worker.h"
#include "net/event_loop.h"
#include "reports/reports.h"
#include "store/presence.h"
#include "store/schema.h"

enum { REPORTS = 0 }; /* the number of that worker; the others deliver */

struct worker_process {
    const struct options *configured;
    struct options options; /* with this worker's part; borrows the texts */
    const char *program;
    struct event_loop *loop;
    int signal_fd;
    int beat_fd;
    char name[SUPERVISOR_NAME_SIZE]; /* of the worker */
    int64_t started_s;               /* since the Unix epoch */
    struct presence *presence;
    struct event_loop_timer presence_timer;
    struct event_loop_timer beat;
    struct redis_log redis_log;
    struct redis *redis;
    enum redis_state redis_state; /* at the last event */
    struct reports *reports;      /* NULL: this worker delivers */
    struct worker *worker;        /* NULL: this worker reports */
    bool draining;
};

size_t
worker_process_count(const struct options *options)
{
    return 1 + (size_t)options->callbacks.workers;
}

void
worker_process_name(size_t worker, char name[SUPERVISOR_NAME_SIZE])
{
    if (worker == REPORTS) {
        snprintf(name, SUPERVISOR_NAME_SIZE, "reports");
    } else {
        snprintf(name, SUPERVISOR_NAME_SIZE, "callbacks-%d", (int)worker);
    }
}

/* The part that the worker part (from 1) of parts has of a limit. */
static int64_t
share(int64_t limit, int64_t part, int64_t parts)
{
    return int64_max(limit / parts + (part <= limit % parts), 1);
}

/* The limits of the configuration are for all workers together. */
static void
take_share(struct worker_process *process, size_t worker)
{
    struct options *options = &process->options;
    int64_t part = (int64_t)worker;
    int64_t parts = options->callbacks.workers;

    if (worker != REPORTS) {
        options->callbacks.concurrency =
            share(options->callbacks.concurrency, part, parts);
        options->callbacks.per_host_concurrency =
            share(options->callbacks.per_host_concurrency, part, parts);
    }
}

/* Gives a sign of life. If the pipe is full, the supervisor has enough. */
static void
give_beat(struct worker_process *process)
{
    const char beat = SUPERVISOR_BEAT;

    (void)!write(process->beat_fd, &beat, 1);
    event_loop_arm(process->loop, &process->beat, SUPERVISOR_BEAT_MS);
}

static void
on_beat_due(void *context)
{
    give_beat(context);
}

/* What this worker says of itself; NULL: no memory. */
static json_t *
describe(const struct worker_process *process)
{
    json_t *details =
        json_pack("{s:I, s:s}", "started", (json_int_t)process->started_s,
                  "worker", process->name);

    if (details != NULL && process->reports != NULL) {
        reports_describe(process->reports, details);
    }
    if (details != NULL && process->worker != NULL) {
        worker_describe(process->worker, details);
    }
    return details;
}

/* While Redis is away, the next connect is waited for: see on_redis. */
static void
on_presence_due(void *context)
{
    struct worker_process *process = context;
    int64_t wait_ms = presence_wait_ms(process->presence);

    if (wait_ms == 0) {
        presence_write(process->presence, describe(process));
    }
    event_loop_arm(process->loop, &process->presence_timer,
                   wait_ms > 0 ? wait_ms : PRESENCE_REPORTER_MS);
}

static void
on_redis(void *context, int fd, uint32_t events)
{
    struct worker_process *process = context;
    enum redis_state before = process->redis_state;

    (void)fd;
    (void)events;
    redis_step(process->redis);
    process->redis_state = redis_state(process->redis);
    if (process->redis_state != REDIS_STATE_UP || before == REDIS_STATE_UP) {
        return;
    }
    event_loop_arm(process->loop, &process->presence_timer, 0);
    if (process->reports != NULL) {
        reports_wake(process->reports);
    }
    if (process->worker != NULL) {
        worker_wake(process->worker);
    }
}

static void
on_drained(void *context)
{
    event_loop_stop(((struct worker_process *)context)->loop);
}

static void
drain(struct worker_process *process)
{
    if (process->worker == NULL) {
        event_loop_stop(process->loop);
    } else if (!process->draining) {
        process->draining = true;
        worker_drain(process->worker, on_drained, process);
    }
}

static void
reopen(struct worker_process *process)
{
    const char reopened = SUPERVISOR_REOPENED;

    if (process->reports != NULL) {
        reports_reopen(process->reports);
    }
    if (process->worker != NULL) {
        worker_reopen(process->worker);
    }
    (void)!write(process->beat_fd, &reopened, 1);
}

static void
on_signal(void *context, int fd, uint32_t events)
{
    struct worker_process *process = context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGHUP:
        reopen(process);
        break;
    case SIGTERM:
        drain(process);
        break;
    default:
        event_loop_stop(process->loop);
    }
}

/*
 * Other signals of the program stay blocked: a terminal, or a service manager,
 * may send them to all processes, and the supervisor passes them on. For the
 * same reason a second TERM does nothing here.
 */
static int
open_signals(struct worker_process *process)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR2);
    sigaddset(&signals, SIGHUP);
    process->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return process->signal_fd < 0 ? -1 : 0;
}

/* Opens all modules. Returns 0, or -1 (errno). */
static int
open_all(struct worker_process *process, size_t worker)
{
    const struct options *options = &process->options;
    struct redis_options redis_options =
        schema_redis_options(options, process->program, &process->redis_log);

    if (open_signals(process) < 0 ||
        (process->loop = event_loop_open()) == NULL ||
        (process->redis = redis_open(&redis_options)) == NULL) {
        return -1;
    }
    if (worker == REPORTS) {
        process->reports = reports_open(options, process->loop, process->redis);
    } else {
        process->worker = worker_open(options, process->loop, process->redis);
    }
    process->presence = presence_open(process->configured, process->redis,
                                      PRESENCE_REPORTER, process->name);
    if (process->presence == NULL ||
        (process->reports == NULL && process->worker == NULL) ||
        event_loop_watch(process->loop, process->signal_fd, EPOLLIN, on_signal,
                         process) < 0) {
        return -1;
    }
    return event_loop_watch(process->loop, redis_fd(process->redis), EPOLLIN,
                            on_redis, process);
}

static void
close_all(struct worker_process *process)
{
    worker_close(process->worker);
    reports_close(process->reports);
    if (process->presence != NULL) {
        event_loop_disarm(process->loop, &process->presence_timer);
        presence_close(process->presence);
    }
    redis_close(process->redis);
    event_loop_close(process->loop);
    if (process->signal_fd >= 0) {
        close(process->signal_fd);
    }
    close(process->beat_fd);
}

static enum exit_code
run(struct worker_process *process, size_t worker)
{
    if (open_all(process, worker) < 0) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    /* A Redis that is down is no error; an unusable one is: see redis.h. */
    process->redis_state = redis_wait(process->redis);
    if (process->redis_state == REDIS_STATE_UNUSABLE) {
        return EXIT_USAGE;
    }
    give_beat(process);
    on_presence_due(process);
    if (event_loop_run(process->loop) < 0) {
        log_error("cannot wait for events: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    presence_leave(process->presence);
    return EXIT_OK;
}

enum exit_code
worker_process_run(const struct options *options, size_t worker,
                   const char *program, int beat_fd)
{
    struct worker_process process = {
        .configured = options,
        .options = *options,
        .program = program,
        .signal_fd = -1,
        .beat_fd = beat_fd,
        .beat = {.handler = on_beat_due, .context = &process},
        .started_s = clock_wall_ms() / 1000,
        .presence_timer = {.handler = on_presence_due, .context = &process},
    };
    enum exit_code code;

    log_open(program, options->log.target, options->log.level);
    worker_process_name(worker, process.name);
    take_share(&process, worker);
    code = run(&process, worker);
    close_all(&process);
    return code;
}
