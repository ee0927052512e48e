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
#include "metrics/metrics_server.h"
#include "net/event_loop.h"
#include "reports/reports.h"
#include "store/presence.h"
#include "store/schema.h"
#include "store/shard.h"
#include "store/store.h"

enum task { TASK_REPORTS, TASK_CALLBACKS, TASK_METRICS };

struct worker_process {
    const struct options *configured;
    struct options options; /* this worker's part; borrows the texts */
    const char *program;
    struct metrics *metrics;
    struct event_loop *loop;
    int signal_fd;
    int beat_fd;
    char name[SUPERVISOR_NAME_SIZE]; /* of the worker */
    int64_t started_s;               /* since the Unix epoch */
    struct presence *presence;       /* NULL for TASK_METRICS */
    struct event_loop_timer presence_timer;
    struct event_loop_timer beat;
    struct redis_log redis_log;
    struct store *store; /* of TASK_REPORTS, else NULL */
    struct redis *redis; /* of TASK_CALLBACKS: of its shard; else NULL */
    struct options first_options; /* of shard 0 */
    struct redis_log first_log;
    struct redis *first_redis;     /* to shard 0; NULL: `redis` leads there */
    enum redis_state redis_state;  /* at the last event */
    struct reports *reports;       /* of TASK_REPORTS, else NULL */
    struct worker *worker;         /* of TASK_CALLBACKS, else NULL */
    struct metrics_server *server; /* of TASK_METRICS, else NULL */
    bool draining;
};

/* Each shard has equally many. */
static size_t
callback_workers(const struct options *options)
{
    int64_t shards = options->redis.shards;
    int64_t of_each = (options->callbacks.workers + shards - 1) / shards;

    return (size_t)(of_each * shards);
}

size_t
worker_process_count(const struct options *options)
{
    return 1 + callback_workers(options) + metrics_server_wanted(options);
}

static enum task
task_of(const struct options *options, size_t worker)
{
    if (worker == 0) {
        return TASK_REPORTS;
    }
    return worker <= callback_workers(options) ? TASK_CALLBACKS : TASK_METRICS;
}

/* The shard that a worker of TASK_CALLBACKS serves. */
static int64_t
shard_of_worker(const struct options *options, size_t worker)
{
    return (int64_t)(worker - 1) % options->redis.shards;
}

/* No number has more than two digits: the table of options has the bounds. */
static void
name_callbacks(const struct options *options, size_t worker,
               char name[SUPERVISOR_NAME_SIZE])
{
    size_t shards = (size_t)options->redis.shards;
    unsigned shard = (unsigned)shard_of_worker(options, worker) % 100;
    unsigned number = (unsigned)((worker - 1) / shards + 1) % 100;

    if (shards == 1) {
        snprintf(name, SUPERVISOR_NAME_SIZE, "callbacks-%u", number);
    } else {
        snprintf(name, SUPERVISOR_NAME_SIZE, "callbacks-%u.%u", shard, number);
    }
}

void
worker_process_name(const struct options *options, size_t worker,
                    char name[SUPERVISOR_NAME_SIZE])
{
    switch (task_of(options, worker)) {
    case TASK_REPORTS:
        snprintf(name, SUPERVISOR_NAME_SIZE, "reports");
        break;
    case TASK_CALLBACKS:
        name_callbacks(options, worker, name);
        break;
    case TASK_METRICS:
        snprintf(name, SUPERVISOR_NAME_SIZE, "metrics");
        break;
    }
}

/* The part that the worker part (from 1) of parts has of a limit. */
static int64_t
share(int64_t limit, int64_t part, int64_t parts)
{
    return int64_max(limit / parts + (part <= limit % parts), 1);
}

/*
 * Sets the options of a worker of TASK_CALLBACKS: those of its shard. The
 * limits of the configuration are for all workers together.
 */
static void
take_share(struct worker_process *process, size_t worker)
{
    const struct options *configured = process->configured;
    struct options *options = &process->options;
    int64_t part = (int64_t)worker;
    int64_t parts = (int64_t)callback_workers(configured);

    shard_view(options, configured, shard_of_worker(configured, worker));
    options->callbacks.concurrency =
        share(options->callbacks.concurrency, part, parts);
    options->callbacks.per_host_concurrency =
        share(options->callbacks.per_host_concurrency, part, parts);
}

/* Gives a sign of life. If the pipe is full, the supervisor has enough. */
static void
give_beat(struct worker_process *process)
{
    const char beat = SUPERVISOR_BEAT;

    (void)!write(process->beat_fd, &beat, 1);
    metrics_refresh(process->metrics);
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
    if (process->store != NULL) {
        store_step(process->store);
        process->redis_state = store_state(process->store);
    } else {
        redis_step(process->redis);
        process->redis_state = redis_state(process->redis);
    }
    metrics_set_redis_state(process->metrics, process->redis_state);
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

/* The connection for presence alone. */
static void
on_first_redis(void *context, int fd, uint32_t events)
{
    struct worker_process *process = context;
    bool was_up = redis_connection(process->first_redis) != 0;

    (void)fd;
    (void)events;
    redis_step(process->first_redis);
    if (!was_up && redis_connection(process->first_redis) != 0) {
        event_loop_arm(process->loop, &process->presence_timer, 0);
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

    log_release();
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

/* Of redis_options. */
static void
on_redis_failure(void *context, enum redis_result result, const char *refusal)
{
    metrics_count_redis_error(context, result, refusal);
}

/* Connects to a shard. NULL: no memory, or errno. */
static struct redis *
connect_shard(const struct worker_process *process,
              const struct options *options, struct redis_log *log)
{
    struct redis_options redis_options =
        schema_redis_options(options, process->program, log);

    redis_options.on_failure = on_redis_failure;
    redis_options.on_failure_context = process->metrics;
    return redis_open(&redis_options);
}

/*
 * Opens what tells of this worker. All presence is in shard 0: a worker of
 * another shard has a connection of its own for it. 0, or -1 (errno).
 */
static int
open_presence(struct worker_process *process)
{
    struct redis *redis = process->store != NULL
                              ? store_shard(process->store, 0)
                              : process->redis;

    if (process->options.redis.shard != 0) {
        shard_view(&process->first_options, process->configured, 0);
        process->first_redis = connect_shard(process, &process->first_options,
                                             &process->first_log);
        redis = process->first_redis;
        if (redis == NULL ||
            event_loop_watch(process->loop, redis_fd(redis), EPOLLIN,
                             on_first_redis, process) < 0) {
            return -1;
        }
    }
    process->presence = presence_open(process->configured, redis,
                                      PRESENCE_REPORTER, process->name);
    return process->presence == NULL ? -1 : 0;
}

/* Opens the connections to all shards, and the task. 0, or -1 (errno). */
static int
open_reports(struct worker_process *process)
{
    struct store_settings settings = {.options = process->configured,
                                      .program = process->program,
                                      .on_failure = on_redis_failure,
                                      .on_failure_context = process->metrics};

    process->store = store_open(&settings);
    if (process->store == NULL) {
        return -1;
    }
    process->reports = reports_open(process->configured, process->loop,
                                    process->store, process->metrics);
    return process->reports == NULL ||
                   event_loop_watch(process->loop, store_fd(process->store),
                                    EPOLLIN, on_redis, process) < 0
               ? -1
               : 0;
}

/* Opens the connection to the worker's shard, and the task. 0, or -1 (errno).
 */
static int
open_callbacks(struct worker_process *process)
{
    const struct options *options = &process->options;

    process->redis = connect_shard(process, options, &process->redis_log);
    if (process->redis == NULL) {
        return -1;
    }
    process->worker =
        worker_open(options, process->loop, process->redis, process->metrics);
    return process->worker == NULL ||
                   event_loop_watch(process->loop, redis_fd(process->redis),
                                    EPOLLIN, on_redis, process) < 0
               ? -1
               : 0;
}

/* Opens the task that needs Redis. 0, or -1 (errno). */
static int
open_redis(struct worker_process *process, enum task task)
{
    int result =
        task == TASK_REPORTS ? open_reports(process) : open_callbacks(process);

    return result < 0 ? -1 : open_presence(process);
}

/* Opens all modules. Returns 0, or -1 (errno). */
static int
open_all(struct worker_process *process, enum task task)
{
    if (open_signals(process) < 0 ||
        (process->loop = event_loop_open()) == NULL ||
        event_loop_watch(process->loop, process->signal_fd, EPOLLIN, on_signal,
                         process) < 0) {
        return -1;
    }
    if (task != TASK_METRICS) {
        return open_redis(process, task);
    }
    process->server =
        metrics_server_open(&process->options, process->loop, process->metrics);
    return process->server == NULL ? -1 : 0;
}

static void
close_all(struct worker_process *process)
{
    metrics_server_close(process->server);
    worker_close(process->worker);
    reports_close(process->reports);
    if (process->presence != NULL) {
        event_loop_disarm(process->loop, &process->presence_timer);
        presence_close(process->presence);
    }
    redis_close(process->first_redis);
    redis_close(process->redis);
    store_close(process->store);
    event_loop_close(process->loop);
    if (process->signal_fd >= 0) {
        close(process->signal_fd);
    }
    close(process->beat_fd);
}

/* Waits for the first connection. False: this Redis is unusable. A Redis that
   is down is no error; see redis.h. */
static bool
wait_for_redis(struct worker_process *process)
{
    process->redis_state = process->store != NULL ? store_wait(process->store)
                                                  : redis_wait(process->redis);
    metrics_set_redis_state(process->metrics, process->redis_state);
    return process->redis_state != REDIS_STATE_UNUSABLE;
}

static enum exit_code
run(struct worker_process *process, enum task task)
{
    if (open_all(process, task) < 0) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    if (task != TASK_METRICS && !wait_for_redis(process)) {
        return EXIT_USAGE;
    }
    give_beat(process);
    if (process->presence != NULL) {
        on_presence_due(process);
    }
    if (event_loop_run(process->loop) < 0) {
        log_error("cannot wait for events: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    if (process->presence != NULL) {
        presence_leave(process->presence);
    }
    return EXIT_OK;
}

enum exit_code
worker_process_run(const struct options *options, size_t worker,
                   const char *program, int beat_fd, struct metrics *metrics)
{
    struct worker_process process = {
        .configured = options,
        .options = *options,
        .program = program,
        .metrics = metrics,
        .signal_fd = -1,
        .beat_fd = beat_fd,
        .beat = {.handler = on_beat_due, .context = &process},
        .started_s = clock_wall_ms() / 1000,
        .presence_timer = {.handler = on_presence_due, .context = &process},
    };
    enum exit_code code;

    options_open_log(options, program);
    worker_process_name(options, worker, process.name);
    if (task_of(options, worker) == TASK_CALLBACKS) {
        take_share(&process, worker);
    }
    metrics_begin(metrics, worker);
    code = run(&process, task_of(options, worker));
    close_all(&process);
    return code;
}
