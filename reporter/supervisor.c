/*
 * supervisor: signals come as an fd, the ends of workers as SIGCHLD, and signs
 * of life by a pipe for each worker. A fork happens in a handler of the event
 * loop: the new process stops the loop, leaves it, and frees what it inherited.
 */
#define _GNU_SOURCE /* pipe2 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/util.h"
#include "config/cli.h"
#include "net/event_loop.h"

enum {
    AT_ONCE_MS = 5000, /* for the end of a worker after the second signal */
    LATE_MS = 1000,    /* the supervisor itself was stopped for so long */
    WHY_SIZE = 64,
};

struct child {
    struct supervisor *supervisor;
    const char *name;
    pid_t pid;          /* 0: it does not run */
    int beat_fd;        /* -1: it does not run, or has closed its end */
    bool ready;         /* it has given a sign of life */
    bool reopening;     /* it has not obeyed the last HUP yet */
    int64_t started_ms; /* monotonic */
    int64_t delay_ms;   /* the last delay of a start; 0: none yet */
    struct event_loop_timer silence; /* armed while it runs: its limit */
    struct event_loop_timer restart; /* armed while it waits to be started */
};

struct supervisor {
    const struct supervisor_settings *settings;
    struct supervisor_outcome outcome;
    pid_t pid;
    struct event_loop *loop;
    int signal_fd;
    bool ready;     /* all workers have been ready */
    bool reloading; /* the service manager was told so */
    bool stopping;
    struct event_loop_timer stop_limit;
    struct notify notify;         /* the service manager */
    struct event_loop_timer beat; /* armed if that has a watchdog */
    struct child children[SUPERVISOR_WORKERS_MAX];
};

static struct child *
next_running(struct supervisor *supervisor, struct child *after)
{
    struct child *end = supervisor->children + supervisor->settings->count;
    struct child *child = after == NULL ? supervisor->children : after + 1;

    while (child < end && child->pid == 0) {
        child++;
    }
    return child < end ? child : NULL;
}

static void
signal_all(struct supervisor *supervisor, int number)
{
    struct child *child = NULL;

    while ((child = next_running(supervisor, child)) != NULL) {
        kill(child->pid, number);
    }
}

/* Says that this loop lives. The workers' lives are watched by it. */
static void
on_beat_due(void *context)
{
    struct supervisor *supervisor = context;
    int64_t wait_ms;

    notify_beat(&supervisor->notify);
    wait_ms = notify_wait_ms(&supervisor->notify);
    if (wait_ms >= 0) {
        event_loop_arm(supervisor->loop, &supervisor->beat, wait_ms);
    }
}

/* Ends the loop if the program is stopping and no worker is left. */
static void
end_if_alone(struct supervisor *supervisor)
{
    if (supervisor->stopping && next_running(supervisor, NULL) == NULL) {
        event_loop_stop(supervisor->loop);
    }
}

/* Has all workers end; code is that of the program, unless one fails. A worker
   that was stopped (SIGSTOP) must continue to end. CONT comes first: it would
   take away the SIGSTOP by which a leak checker stops a process that ends. */
static void
stop_all(struct supervisor *supervisor, enum exit_code code)
{
    supervisor->stopping = true;
    supervisor->outcome.code = code;
    notify_send(&supervisor->notify,
                "STOPPING=1\nSTATUS=Finishes the work in progress");
    for (size_t i = 0; i < supervisor->settings->count; i++) {
        event_loop_disarm(supervisor->loop, &supervisor->children[i].restart);
    }
    signal_all(supervisor, SIGCONT);
    signal_all(supervisor, SIGTERM);
    event_loop_arm(supervisor->loop, &supervisor->stop_limit,
                   supervisor->settings->stop_ms);
    end_if_alone(supervisor);
}

/* The first signal lets the workers finish; the second ends them at once. */
static void
stop(struct supervisor *supervisor)
{
    if (!supervisor->stopping) {
        log_info("stopping");
        stop_all(supervisor, EXIT_OK);
        return;
    }
    signal_all(supervisor, SIGUSR2);
    event_loop_arm(supervisor->loop, &supervisor->stop_limit, AT_ONCE_MS);
}

/* Workers that do not end in time are killed. */
static void
on_stop_limit(void *context)
{
    struct supervisor *supervisor = context;
    struct child *child = NULL;

    while ((child = next_running(supervisor, child)) != NULL) {
        log_warn("%s[%d] does not end; it is killed", child->name,
                 (int)child->pid);
    }
    signal_all(supervisor, SIGKILL);
}

/* A worker gave no sign of life. If this process was stopped, or had no
   processor, it gets another chance. */
static void
on_silence(void *context)
{
    struct child *child = context;
    int64_t limit_ms = child->supervisor->settings->silence_ms;

    if (clock_mono_ms() - child->silence.due_ms > LATE_MS) {
        event_loop_arm(child->supervisor->loop, &child->silence, limit_ms);
        return;
    }
    log_error("%s[%d] has given no sign of life for %" PRId64
              " s; it is killed",
              child->name, (int)child->pid, limit_ms / 1000);
    kill(child->pid, SIGKILL);
}

static void
close_beats(struct child *child)
{
    if (child->beat_fd >= 0) {
        event_loop_forget(child->supervisor->loop, child->beat_fd);
        close(child->beat_fd);
        child->beat_fd = -1;
    }
}

/* Ends a reload if no worker that runs has yet to obey it. */
static void
end_reload(struct supervisor *supervisor)
{
    struct child *child = NULL;

    while ((child = next_running(supervisor, child)) != NULL) {
        if (child->reopening) {
            return;
        }
    }
    if (supervisor->reloading && !supervisor->stopping) {
        notify_send(&supervisor->notify, "READY=1");
    }
    supervisor->reloading = false;
}

/* Notes that a worker is ready, and whether all are. */
static void
note_ready(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    child->ready = true;
    if (supervisor->ready) {
        log_info("%s[%d] is ready again", child->name, (int)child->pid);
    }
    for (size_t i = 0; i < supervisor->settings->count; i++) {
        if (!supervisor->children[i].ready) {
            return;
        }
    }
    if (!supervisor->ready) {
        supervisor->ready = true;
        log_info("ready");
        notify_send(&supervisor->notify, "READY=1");
    }
    notify_send(&supervisor->notify, "STATUS=All %zu workers run",
                supervisor->settings->count);
}

/* Passes HUP on. The reload lasts until all workers that run have obeyed. */
static void
reopen_all(struct supervisor *supervisor)
{
    struct child *child = NULL;

    log_info("opening files anew");
    if (supervisor->ready && !supervisor->stopping) {
        supervisor->reloading = true;
        notify_reloading(&supervisor->notify);
    }
    while ((child = next_running(supervisor, child)) != NULL) {
        child->reopening = true;
        kill(child->pid, SIGHUP);
    }
    end_reload(supervisor);
}

/* A sign of life, or the end of the pipe, which SIGCHLD follows. */
static void
on_beat(void *context, int fd, uint32_t events)
{
    struct child *child = context;
    struct supervisor *supervisor = child->supervisor;
    char bytes[64];
    ssize_t count = read(fd, bytes, sizeof(bytes));

    (void)events;
    if (count > 0) {
        event_loop_arm(supervisor->loop, &child->silence,
                       supervisor->settings->silence_ms);
        if (memchr(bytes, SUPERVISOR_REOPENED, (size_t)count) != NULL) {
            child->reopening = false;
            end_reload(supervisor);
        }
        if (!child->ready && !supervisor->stopping) {
            note_ready(child);
        }
    } else if (count == 0 || errno != EAGAIN) {
        close_beats(child);
    }
}

/* The new process becomes a worker: it leaves the loop. */
static void
become_worker(struct child *child, int beat_fd)
{
    struct supervisor *supervisor = child->supervisor;

    supervisor->outcome.worker = (int)(child - supervisor->children);
    supervisor->outcome.beat_fd = beat_fd;
    prctl(PR_SET_NAME, child->name);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != supervisor->pid) { /* it has ended meanwhile */
        close(beat_fd);
        supervisor->outcome.worker = -1;
        supervisor->outcome.code = EXIT_SYSTEM;
    }
    event_loop_stop(supervisor->loop);
}

/* Forks. Returns 0, also in the new process, or -1 (errno). */
static int
fork_child(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    int pipe_fds[2];
    int reason;

    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    child->pid = fork();
    if (child->pid == 0) {
        close(pipe_fds[0]);
        become_worker(child, pipe_fds[1]);
        return 0;
    }
    reason = errno;
    close(pipe_fds[1]);
    if (child->pid < 0) {
        child->pid = 0;
        close(pipe_fds[0]);
        errno = reason;
        return -1;
    }
    child->beat_fd = pipe_fds[0];
    child->ready = false;
    child->started_ms = clock_mono_ms();
    event_loop_arm(supervisor->loop, &child->silence,
                   supervisor->settings->silence_ms);
    /* If this fails, the worker is killed for its silence. */
    (void)event_loop_watch(supervisor->loop, child->beat_fd, EPOLLIN, on_beat,
                           child);
    return 0;
}

/* Plans the next start of a worker that does not run. Returns the delay. */
static int64_t
plan_restart(struct child *child)
{
    bool lasted =
        clock_mono_ms() - child->started_ms >= SUPERVISOR_DELAY_MAX_MS;

    child->delay_ms =
        lasted ? SUPERVISOR_DELAY_MS
               : int64_clamp(2 * child->delay_ms, SUPERVISOR_DELAY_MS,
                             SUPERVISOR_DELAY_MAX_MS);
    event_loop_arm(child->supervisor->loop, &child->restart, child->delay_ms);
    return child->delay_ms;
}

static void
on_restart(void *context)
{
    struct child *child = context;

    if (fork_child(child) != 0) {
        log_error("cannot start %s: %s", child->name, strerror(errno));
        plan_restart(child);
    }
}

static void
describe_end(int status, char why[WHY_SIZE])
{
    if (WIFSIGNALED(status)) {
        snprintf(why, WHY_SIZE, "signal %d", WTERMSIG(status));
    } else {
        snprintf(why, WHY_SIZE, "exit code %d", WEXITSTATUS(status));
    }
}

/*
 * A worker ended before all were ready. If it has refused to start, it has
 * logged the reason, and that is the last line of the log.
 */
static void
fail_to_start(struct child *child, pid_t pid, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    char why[WHY_SIZE];

    if (code != EXIT_USAGE && code != EXIT_SYSTEM) {
        describe_end(status, why);
        log_error("%s[%d] has ended before it was ready: %s", child->name,
                  (int)pid, why);
    }
    stop_all(child->supervisor, code == EXIT_USAGE ? EXIT_USAGE : EXIT_SYSTEM);
}

/* A worker has ended. */
static void
on_end(struct child *child, int status)
{
    struct supervisor *supervisor = child->supervisor;
    bool proper = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
    pid_t pid = child->pid;
    char why[WHY_SIZE];

    describe_end(status, why);
    close_beats(child);
    event_loop_disarm(supervisor->loop, &child->silence);
    child->pid = 0;
    child->ready = false;
    child->reopening = false;
    supervisor->settings->ended(supervisor->settings->context,
                                (size_t)(child - supervisor->children));
    end_reload(supervisor);
    if (supervisor->stopping) {
        if (!proper && supervisor->outcome.code == EXIT_OK) {
            log_warn("%s[%d] has ended: %s", child->name, (int)pid, why);
            supervisor->outcome.code = EXIT_SYSTEM;
        }
        end_if_alone(supervisor);
    } else if (!supervisor->ready) {
        fail_to_start(child, pid, status);
    } else {
        log_error("%s[%d] has ended: %s; it is started again in %" PRId64 " s",
                  child->name, (int)pid, why, plan_restart(child) / 1000);
        notify_send(&supervisor->notify, "STATUS=%s has ended: %s", child->name,
                    why);
    }
}

static void
reap(struct supervisor *supervisor)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < supervisor->settings->count; i++) {
            if (supervisor->children[i].pid == pid) {
                on_end(&supervisor->children[i], status);
            }
        }
    }
}

static void
on_signal(void *context, int fd, uint32_t events)
{
    struct supervisor *supervisor = context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGCHLD:
        reap(supervisor);
        break;
    case SIGHUP:
        reopen_all(supervisor);
        break;
    default:
        stop(supervisor);
    }
}

/* Turns signals into an fd. USR2 is blocked for the workers, which inherit the
   mask. If SIGCHLD was ignored, waitpid(2) would find no worker. */
static int
open_signals(struct supervisor *supervisor)
{
    sigset_t signals;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1); /* as for verve-fcgi: web servers send it */
    sigaddset(&signals, SIGUSR2);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
        return -1;
    }
    sigdelset(&signals, SIGUSR2);
    supervisor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return supervisor->signal_fd < 0 ? -1 : 0;
}

static void
init_children(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->settings->count; i++) {
        struct child *child = &supervisor->children[i];

        child->supervisor = supervisor;
        child->name = supervisor->settings->names[i];
        child->beat_fd = -1;
        child->silence.handler = on_silence;
        child->silence.context = child;
        child->restart.handler = on_restart;
        child->restart.context = child;
    }
}

static int
open_loop(struct supervisor *supervisor)
{
    supervisor->stop_limit.handler = on_stop_limit;
    supervisor->stop_limit.context = supervisor;
    supervisor->beat.handler = on_beat_due;
    supervisor->beat.context = supervisor;
    init_children(supervisor);
    if (open_signals(supervisor) < 0 ||
        (supervisor->loop = event_loop_open()) == NULL) {
        return -1;
    }
    return event_loop_watch(supervisor->loop, supervisor->signal_fd, EPOLLIN,
                            on_signal, supervisor);
}

/* Starts the workers, and runs until the end; a new worker returns at once. */
static int
run(struct supervisor *supervisor)
{
    if (open_loop(supervisor) < 0) {
        return -1;
    }
    if (notify_init(&supervisor->notify, LATE_MS) != 0) {
        log_warn("cannot reach the service manager: %s", strerror(errno));
    }
    on_beat_due(supervisor);
    for (size_t i = 0; i < supervisor->settings->count; i++) {
        if (fork_child(&supervisor->children[i]) < 0) {
            return -1; /* the workers before it end with this process */
        }
        if (getpid() != supervisor->pid) {
            return 0;
        }
    }
    return event_loop_run(supervisor->loop);
}

/* Also in a worker, to which nothing of this belongs. */
static void
close_all(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->settings->count; i++) {
        if (supervisor->children[i].beat_fd >= 0) {
            close(supervisor->children[i].beat_fd);
        }
    }
    notify_fini(&supervisor->notify);
    event_loop_close(supervisor->loop);
    if (supervisor->signal_fd >= 0) {
        close(supervisor->signal_fd);
    }
}

struct supervisor_outcome
supervisor_run(const struct supervisor_settings *settings)
{
    struct supervisor supervisor = {
        .settings = settings,
        .outcome = {.worker = -1, .code = EXIT_OK, .beat_fd = -1},
        .pid = getpid(),
        .signal_fd = -1,
        .notify = {.fd = -1},
    };

    if (run(&supervisor) < 0) {
        log_error("cannot start: %s", strerror(errno));
        supervisor.outcome.code = EXIT_SYSTEM;
    }
    close_all(&supervisor);
    return supervisor.outcome;
}
