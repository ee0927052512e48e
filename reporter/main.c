/*
 * verve-reporter: closes windows, reports their counts, delivers callbacks. It
 * has one thread and one event loop. The modules do the work; this file starts
 * and stops them.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "callbacks/settings.h"
#include "callbacks/worker.h"
#include "config/cli.h"
#include "net/event_loop.h"
#include "reports/reports.h"
#include "reports/sinks.h"
#include "store/schema.h"

#define NAME "verve-reporter"

struct reporter {
    struct options options;
    struct event_loop *loop;
    int signal_fd;
    struct redis_log redis_log;
    struct redis *redis;
    enum redis_state redis_state; /* at the last event */
    struct reports *reports;
    struct worker *worker;
    bool draining;
};

static void
on_redis(void *context, int fd, uint32_t events)
{
    struct reporter *reporter = context;
    enum redis_state before = reporter->redis_state;

    (void)fd;
    (void)events;
    redis_step(reporter->redis);
    reporter->redis_state = redis_state(reporter->redis);
    if (reporter->redis_state == REDIS_STATE_UP && before != REDIS_STATE_UP) {
        reports_wake(reporter->reports);
        worker_wake(reporter->worker);
    }
}

static void
on_drained(void *context)
{
    event_loop_stop(((struct reporter *)context)->loop);
}

/* The first signal drains the callbacks; the second stops at once. */
static void
stop(struct reporter *reporter)
{
    if (reporter->draining) {
        event_loop_stop(reporter->loop);
        return;
    }
    reporter->draining = true;
    log_info("stopping");
    worker_drain(reporter->worker, on_drained, reporter);
}

static void
on_signal(void *context, int fd, uint32_t events)
{
    struct reporter *reporter = context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (info.ssi_signo == SIGHUP) {
        log_info("opening files anew");
        reports_reopen(reporter->reports);
        worker_reopen(reporter->worker);
    } else {
        stop(reporter);
    }
}

/* Turns signals into an fd. A thread that exists before would get signals. */
static int
open_signals(struct reporter *reporter)
{
    sigset_t signals;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1); /* as for verve-fcgi: web servers send it */
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
        return -1;
    }
    reporter->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return reporter->signal_fd < 0 ? -1 : 0;
}

/* Opens all modules. Returns 0, or -1 (errno). */
static int
open_all(struct reporter *reporter)
{
    const struct options *options = &reporter->options;
    struct redis_options redis_options =
        schema_redis_options(options, NAME, &reporter->redis_log);

    if (open_signals(reporter) < 0 ||
        (reporter->loop = event_loop_open()) == NULL ||
        (reporter->redis = redis_open(&redis_options)) == NULL) {
        return -1;
    }
    reporter->reports = reports_open(options, reporter->loop, reporter->redis);
    reporter->worker = worker_open(options, reporter->loop, reporter->redis);
    if (reporter->reports == NULL || reporter->worker == NULL ||
        event_loop_watch(reporter->loop, reporter->signal_fd, EPOLLIN,
                         on_signal, reporter) < 0) {
        return -1;
    }
    return event_loop_watch(reporter->loop, redis_fd(reporter->redis), EPOLLIN,
                            on_redis, reporter);
}

static void
close_all(struct reporter *reporter)
{
    worker_close(reporter->worker);
    reports_close(reporter->reports);
    redis_close(reporter->redis);
    event_loop_close(reporter->loop);
    if (reporter->signal_fd >= 0) {
        close(reporter->signal_fd);
    }
}

/* Runs until a signal stops the program. Returns the exit code. */
static int
run(struct reporter *reporter)
{
    if (open_all(reporter) < 0) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    /* A Redis that is down is no error; an unusable one is: see redis.h. */
    reporter->redis_state = redis_wait(reporter->redis);
    if (reporter->redis_state == REDIS_STATE_UNUSABLE) {
        return EXIT_USAGE;
    }
    log_info("ready");
    if (event_loop_run(reporter->loop) < 0) {
        log_error("cannot wait for events: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    return EXIT_OK;
}

/* Checks what the table of options cannot check. A cli_check. */
static int
check(const struct options *options, option_complaint *complain, void *context)
{
    int sinks_result = sinks_check(options, complain, context);
    int settings_result = settings_check(options, complain, context);

    return sinks_result == 0 && settings_result == 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
    static const struct cli_program program = {
        .name = NAME,
        .summary = "reports each window's count and calls back",
        .check = check,
    };
    struct reporter reporter = {.signal_fd = -1};
    int code = cli_start(argc, argv, &program, &reporter.options);

    if (code < 0) {
        code = run(&reporter);
    }
    close_all(&reporter);
    options_fini(&reporter.options);
    return code;
}
