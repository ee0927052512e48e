/*
 * verve-reporter: closes windows, reports their counts, delivers callbacks. A
 * supervisor keeps the worker processes running that do so; this file tells
 * each process what it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "callbacks/settings.h"
#include "callbacks/trial_call.h"
#include "config/cli.h"
#include "metrics/metrics.h"
#include "reports/sinks.h"
#include "store/shard.h"
#include "supervisor.h"
#include "worker_process.h"

#define NAME "verve-reporter"

enum {
    SILENCE_MS = 30000,
    /* A turn of a worker's event loop may wait for Redis: for twice
       redis.timeout_ms if Redis hangs, longer if it is slow several times. */
    SILENCE_TIMEOUTS = 8,
    STOP_MS = 10000, /* beyond what the last callbacks may take */
    PROGRAM_SIZE = sizeof(NAME "/") + SUPERVISOR_NAME_SIZE,
};

static void
on_ended(void *context, size_t worker)
{
    metrics_end(context, worker);
}

/* Runs the supervisor, and in each worker process that worker. */
static int
run(const struct options *options)
{
    char names[SUPERVISOR_WORKERS_MAX][SUPERVISOR_NAME_SIZE];
    int64_t redis_ms = options->redis.timeout_ms;
    struct supervisor_settings settings = {
        .count = worker_process_count(options),
        .names = names,
        .silence_ms = int64_max(SILENCE_MS, SILENCE_TIMEOUTS * redis_ms),
        .stop_ms = options->callbacks.timeout_ms + 2 * redis_ms + STOP_MS,
        .ended = on_ended,
    };
    struct metrics *metrics = metrics_open(options, settings.count);
    struct supervisor_outcome outcome;
    char program[PROGRAM_SIZE];
    int code;

    if (metrics == NULL) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    settings.context = metrics;
    for (size_t i = 0; i < settings.count; i++) {
        worker_process_name(options, i, names[i]);
    }
    outcome = supervisor_run(&settings);
    code = outcome.code;
    if (outcome.worker >= 0) {
        snprintf(program, sizeof(program), NAME "/%s", names[outcome.worker]);
        code = worker_process_run(options, (size_t)outcome.worker, program,
                                  outcome.beat_fd, metrics);
    }
    metrics_close(metrics);
    return code;
}

/* An option_file_use. */
static bool
uses_file(const struct options *options, const char *key)
{
    if (starts_with(key, "callbacks.")) {
        return options->callbacks.workers > 0;
    }
    if (starts_with(key, "file.")) {
        return sinks_wanted(options, &sink_file);
    }
    if (starts_with(key, "kafka.")) {
        return sinks_wanted(options, &sink_kafka);
    }
    return true;
}

/* The same for --call. An option_file_use. */
static bool
call_uses_file(const struct options *options, const char *key)
{
    (void)options;
    return starts_with(key, "redis.") || (starts_with(key, "callbacks.") &&
                                          strcmp(key, "callbacks.log") != 0);
}

/* Checks what the table of options cannot check. A cli_check. */
static int
check(const struct options *options, option_complaint *complain, void *context)
{
    int sinks_result = sinks_check(options, complain, context);
    int settings_result = settings_check(options, complain, context);

    return sinks_result == 0 && settings_result == 0 ? 0 : -1;
}

/* The hash tags of all shards, or their slots, for vervectl. A cli_print. */
static bool
print_shards(FILE *out, const struct options *options, const char *key)
{
    bool slots = strcmp(key, "redis.shards.slots") == 0;
    int64_t shards = options->redis.shards;

    if (!slots && strcmp(key, "redis.shards.tags") != 0) {
        return false;
    }
    for (int64_t shard = 0; shard < shards; shard++) {
        int64_t tag = shard_tag(shard, shards);

        fprintf(out, "%s%" PRId64, shard > 0 ? " " : "",
                slots ? shard_slot(tag) : tag);
    }
    return true;
}

int
main(int argc, char **argv)
{
    const char *call_url = NULL;
    const struct cli_program program = {
        .name = NAME,
        .summary = "reports each window's count and calls back",
        .uses = uses_file,
        .check = check,
        .call_url = &call_url,
        .call_uses = call_uses_file,
        .print = print_shards,
    };
    struct options options;
    int code = cli_start(argc, argv, &program, &options);

    if (code < 0 && call_url != NULL) {
        code = (int)trial_call(&options, call_url);
    } else if (code < 0) {
        code = run(&options);
    }
    options_fini(&options);
    return code;
}
