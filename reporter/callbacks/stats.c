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
    struct metrics *metrics;
    struct stats_counts counts;
    struct stats_counts logged; /* as of the last line in the log */
    int64_t publish_ms;         /* monotonic: the next publication */
    int64_t destinations_ms;    /* monotonic: the next look at them */
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
stats_open(const struct options *options, const struct fair_queue *queue,
           struct metrics *metrics)
{
    struct stats *stats = calloc(1, sizeof(*stats));

    if (stats != NULL) {
        stats->options = options;
        stats->queue = queue;
        stats->metrics = metrics;
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

static enum metrics_outcome
outcome_of(const struct retry_verdict *verdict)
{
    static const struct {
        const char *error; /* of retry_policy.c */
        enum metrics_outcome outcome;
    } words[] = {
        {"connect", METRICS_CONNECT}, {"timeout", METRICS_TIMEOUT},
        {"tls", METRICS_TLS},         {"resolve", METRICS_DNS},
        {"refused", METRICS_REFUSED},
    };

    if (verdict->status >= 200 && verdict->status < 600) {
        return METRICS_2XX + (unsigned)(verdict->status / 100 - 2);
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (verdict->status == 0 &&
            strcmp(verdict->error, words[i].error) == 0) {
            return words[i].outcome;
        }
    }
    return METRICS_OTHER;
}

void
stats_count_attempt(struct stats *stats, const struct retry_verdict *verdict)
{
    if (verdict->disposition != JOB_RETURN) {
        metrics_count_attempt(stats->metrics, outcome_of(verdict));
    }
}

static void
count_delivered(struct stats *stats, const struct job *job)
{
    stats->counts.delivered++;
    metrics_count_settled(stats->metrics, METRICS_DELIVERED, 1);
    if (job->at_ms != 0) {
        metrics_observe_delivery(stats->metrics, job_now_ms(job) - job->at_ms);
    }
}

void
stats_count(struct stats *stats, const struct job *job,
            enum job_disposition disposition)
{
    switch (disposition) {
    case JOB_DELIVERED:
        count_delivered(stats, job);
        break;
    case JOB_RETRY:
        stats->counts.retried++;
        metrics_count_settled(stats->metrics, METRICS_RETRY, 1);
        break;
    case JOB_RETURN:
        stats->counts.returned++;
        metrics_count_settled(stats->metrics, METRICS_RETURNED, 1);
        break;
    case JOB_DEAD:
        stats->counts.dead++;
        metrics_count_settled(stats->metrics, METRICS_DEAD, 1);
        break;
    case JOB_DROPPED:
        stats->counts.blocked++;
        metrics_count_settled(stats->metrics, METRICS_BLOCKED, 1);
        break;
    }
}

void
stats_count_flushed(struct stats *stats,
                    const struct job_queue_flushed *flushed)
{
    stats->counts.stale += flushed->stale;
    stats->counts.dropped += flushed->dropped;
    metrics_count_settled(stats->metrics, METRICS_STALE, flushed->stale);
    metrics_count_dropped(stats->metrics, flushed->dropped);
}

void
stats_count_unreadable(struct stats *stats, size_t count)
{
    stats->counts.unreadable += (int64_t)count;
    metrics_count_unreadable(stats->metrics, count);
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
    if (stale != 0) {
        log_event(LEVEL_WARN, "callbacks settled after their lease had run out",
                  LOG_FIELDS(LOG_NUMBER("count", stale)));
    }
    if (unreadable != 0) {
        log_event(LEVEL_WARN, "unreadable callbacks moved to the dead list",
                  LOG_FIELDS(LOG_NUMBER("count", unreadable)));
    }
    if (dropped != 0) {
        log_event(LEVEL_ERROR,
                  "callbacks dropped for ever, the oldest of the dead list, "
                  "which is full",
                  LOG_FIELDS(LOG_NUMBER("count", dropped),
                             LOG_NUMBER("max_dead",
                                        stats->options->callbacks.max_dead)));
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
                              .tag = stats->options->redis.tag,
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

/* A fair_queue_visit. */
static void
count_destination(void *context, const struct destination_status *status)
{
    static const enum metrics_breaker breakers[] = {
        [CIRCUIT_BREAKER_CLOSED] = METRICS_BREAKER_CLOSED,
        [CIRCUIT_BREAKER_OPEN] = METRICS_BREAKER_OPEN,
        [CIRCUIT_BREAKER_HALF_OPEN] = METRICS_BREAKER_HALF_OPEN,
    };
    size_t *counts = context;

    counts[breakers[status->breaker]]++;
}

static void
tell_metrics(struct stats *stats, int64_t now_ms)
{
    size_t counts[METRICS_BREAKERS_COUNT] = {0};

    metrics_set_under_way(stats->metrics, fair_queue_under_way(stats->queue));
    if (now_ms >= stats->destinations_ms) {
        fair_queue_each(stats->queue, count_destination, counts, now_ms);
        metrics_set_destinations(stats->metrics, counts);
        metrics_set_failing_paths(
            stats->metrics, fair_queue_failing_paths(stats->queue, now_ms));
        stats->destinations_ms = now_ms + STATS_EVERY_MS;
    }
}

void
stats_step(struct stats *stats, struct redis *redis)
{
    int64_t now_ms = clock_mono_ms();

    tell_metrics(stats, now_ms);
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
