/*
 * stats: counters, and their JSON.
 */
#include "stats.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "base/version.h"
#include "reporters-publish.lua.h"
#include "store/keys.h"

enum {
    LOG_AGAIN_MS = 60000,
    NAME_SIZE = 128,
};

struct stats {
    const struct options *options;
    const struct fair_queue *queue;
    struct stats_counts counts;
    struct stats_counts logged; /* as of the last line in the log */
    int64_t publish_ms;         /* monotonic: the next publication */
    int64_t log_ms;             /* monotonic: no line before that */
    int64_t started_s;          /* since the Unix epoch */
    char name[NAME_SIZE];       /* of this reporter: <host>:<pid> */
};

static void
write_name(char name[NAME_SIZE])
{
    char host[HOST_NAME_SIZE];

    host_name(host);
    snprintf(name, NAME_SIZE, "%s:%ld", host, (long)getpid());
}

struct stats *
stats_open(const struct options *options, const struct fair_queue *queue)
{
    struct stats *stats = calloc(1, sizeof(*stats));

    if (stats != NULL) {
        stats->options = options;
        stats->queue = queue;
        stats->started_s = clock_wall_ms() / 1000;
        write_name(stats->name);
    }
    return stats;
}

void
stats_close(struct stats *stats)
{
    free(stats);
}

void
stats_count(struct stats *stats, enum job_disposition disposition)
{
    switch (disposition) {
    case JOB_DELIVERED:
        stats->counts.delivered++;
        break;
    case JOB_RETRY:
        stats->counts.retried++;
        break;
    case JOB_RETURN:
        stats->counts.returned++;
        break;
    case JOB_DEAD:
        stats->counts.dead++;
        break;
    case JOB_DROPPED:
        stats->counts.blocked++;
        break;
    }
}

void
stats_count_flushed(struct stats *stats,
                    const struct job_queue_flushed *flushed)
{
    stats->counts.stale += flushed->stale;
    stats->counts.dropped += flushed->dropped;
}

void
stats_count_unreadable(struct stats *stats, size_t count)
{
    stats->counts.unreadable += (int64_t)count;
}

/* Logs stale, unreadable and dropped jobs. */
static void
log_losses(struct stats *stats, int64_t now_ms)
{
    const struct stats_counts *counts = &stats->counts;
    int64_t stale = counts->stale - stats->logged.stale;
    int64_t dropped = counts->dropped - stats->logged.dropped;
    int64_t unreadable = counts->unreadable - stats->logged.unreadable;

    if (now_ms < stats->log_ms ||
        (stale == 0 && dropped == 0 && unreadable == 0)) {
        return;
    }
    if (stale != 0 || unreadable != 0) {
        log_warn("callbacks: %" PRId64 " settled after their lease had run "
                 "out, %" PRId64 " unreadable ones moved to the dead list",
                 stale, unreadable);
    }
    if (dropped != 0) {
        log_error("callbacks: %" PRId64 " dropped for ever, the oldest of the "
                  "dead list, which is full (callbacks.max_dead = %" PRId64 ")",
                  dropped, stats->options->callbacks.max_dead);
    }
    stats->logged = *counts;
    stats->log_ms = now_ms + LOG_AGAIN_MS;
}

static const char *
state_name(enum circuit_breaker_state state)
{
    switch (state) {
    case CIRCUIT_BREAKER_CLOSED:
        return "closed";
    case CIRCUIT_BREAKER_OPEN:
        return "open";
    case CIRCUIT_BREAKER_HALF_OPEN:
        return "half-open";
    }
    return "";
}

static json_t *
destination_json(const struct destination_status *status)
{
    return json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:s, s:i, s:I, s:I}", "origin",
        status->origin, "proven", status->proven, "waiting",
        (json_int_t)status->waiting, "under_way", (json_int_t)status->under_way,
        "limit", (json_int_t)status->limit, "breaker",
        state_name(status->breaker), "failed", status->failed, "blocked_ms",
        (json_int_t)status->blocked_ms, "took_ms", (json_int_t)status->took_ms);
}

static void
add_destination(void *context, const struct destination_status *status)
{
    json_t *list = context;

    if (json_array_size(list) < STATS_DESTINATIONS_MAX) {
        json_array_append_new(list, destination_json(status));
    }
}

static json_t *
counts_json(const struct stats_counts *counts)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "delivered",
        (json_int_t)counts->delivered, "retried", (json_int_t)counts->retried,
        "dead", (json_int_t)counts->dead, "returned",
        (json_int_t)counts->returned, "stale", (json_int_t)counts->stale,
        "dropped", (json_int_t)counts->dropped, "unreadable",
        (json_int_t)counts->unreadable, "blocked", (json_int_t)counts->blocked);
}

/* The published JSON, malloc'd. NULL: no memory. */
static char *
describe(const struct stats *stats)
{
    json_t *destinations = json_array();
    json_t *root;
    char *text;

    fair_queue_each(stats->queue, add_destination, destinations,
                    clock_mono_ms());
    root = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "v", 1,
                     "name", stats->name, "version", VERVE_VERSION, "started",
                     (json_int_t)stats->started_s, "at",
                     (json_int_t)(clock_wall_ms() / 1000), "waiting",
                     (json_int_t)fair_queue_waiting(stats->queue), "under_way",
                     (json_int_t)fair_queue_under_way(stats->queue), "counts",
                     counts_json(&stats->counts), "destinations", destinations);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

/* Publishes the statistics for STATS_TTL_MS. If Redis refuses: next time. */
static void
publish(const struct stats *stats, struct redis *redis)
{
    struct key_parts parts = {.prefix = stats->options->redis.prefix,
                              .name = stats->name};
    const struct redis_reply *reply;
    char *text = describe(stats);
    struct command *call;

    if (text == NULL) {
        return;
    }
    call = redis_call(redis, &script_reporters_publish);
    keys_add(call, KEY_REPORTER, &parts);
    keys_add(call, KEY_REPORTERS, &parts);
    redis_arg(call, stats->name, strlen(stats->name));
    redis_arg(call, text, strlen(text));
    redis_arg_int(call, STATS_TTL_MS);
    (void)!redis_run(redis, &reply);
    free(text);
}

void
stats_step(struct stats *stats, struct redis *redis)
{
    int64_t now_ms = clock_mono_ms();

    log_losses(stats, now_ms);
    if (now_ms >= stats->publish_ms && redis_state(redis) == REDIS_STATE_UP) {
        publish(stats, redis);
        stats->publish_ms = now_ms + STATS_EVERY_MS;
    }
}

/* The destinations with the most trouble, the worst first. */
struct worst {
    size_t count;
    struct destination_status items[STATS_WORST];
};

static bool
is_worse(const struct destination_status *a, const struct destination_status *b)
{
    bool a_stuck = a->breaker != CIRCUIT_BREAKER_CLOSED || a->failed > 0;
    bool b_stuck = b->breaker != CIRCUIT_BREAKER_CLOSED || b->failed > 0;

    return a_stuck != b_stuck
               ? a_stuck
               : a->waiting + a->under_way > b->waiting + b->under_way;
}

/* A fair_queue_visit: an insertion sort into the few that are kept. */
static void
note_worst(void *context, const struct destination_status *status)
{
    struct worst *worst = context;
    size_t at = worst->count;

    while (at > 0 && is_worse(status, &worst->items[at - 1])) {
        at--;
    }
    if (at == STATS_WORST) {
        return;
    }
    worst->count = size_min(worst->count + 1, STATS_WORST);
    memmove(&worst->items[at + 1], &worst->items[at],
            (worst->count - at - 1) * sizeof(worst->items[0]));
    worst->items[at] = *status;
}

void
stats_summary(const struct stats *stats, json_t *object)
{
    json_t *list = json_array();
    struct worst worst = {0};

    fair_queue_each(stats->queue, note_worst, &worst, clock_mono_ms());
    for (size_t i = 0; i < worst.count; i++) {
        json_array_append_new(list, destination_json(&worst.items[i]));
    }
    json_object_set_new(object, "counts", counts_json(&stats->counts));
    json_object_set_new(object, "destinations", list);
}
