/*
 * metrics: cells in memory that all processes of the reporter share
 * (stats_slots.h). Counting costs a load and a store.
 */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process_usage.h"
#include "base/util.h"
#include "config/digest.h"
#include "families.h"
#include "redis/node_name.h"
#include "redis/redis_reason.h"
#include "stats/stats_slots.h"

enum {
    REFRESH_US = 5000000, /* between two looks at what the process uses */
    MS_US = 1000,
};

struct metrics {
    struct metric families[FAMILIES_COUNT];
    struct stats_layout layout;
    struct stats_slots *slots;
    uint64_t *cells;      /* of this process; NULL: it is no worker */
    uint64_t cpu_before;  /* of earlier workers in this slot, us */
    uint64_t started_us;  /* since the Unix epoch: the program */
    int64_t refreshed_us; /* monotonic; 0: never */
    size_t sink_count;    /* of report.sinks */
    const char *sinks[FAMILIES_SINKS];
    enum sink_kind sink_kinds[FAMILIES_SINKS];
    const char *nodes[1];
    char node[REDIS_NODE_SIZE];
    const char *digests[1];
    char digest[CONFIG_DIGEST_SIZE];
};

/* Notes the sinks of report.sinks, in the order of their bits. */
static void
read_sinks(struct metrics *metrics, const struct options *options)
{
    static const struct {
        enum sink_kind kind;
        const char *name;
    } known[FAMILIES_SINKS] = {{SINK_FILE, "file"},
                               {SINK_SYSLOG, "syslog"},
                               {SINK_KAFKA, "kafka"},
                               {SINK_KINESIS, "kinesis"}};

    for (size_t i = 0; i < FAMILIES_SINKS; i++) {
        if ((options->report.sinks & (int)known[i].kind) != 0) {
            metrics->sinks[metrics->sink_count] = known[i].name;
            metrics->sink_kinds[metrics->sink_count++] = known[i].kind;
        }
    }
}

/* Completes the copy of the table by what is not constant. -1: no memory. */
static int
fill_families(struct metrics *metrics, const struct options *options)
{
    read_sinks(metrics, options);
    redis_node_name(options->redis.url, metrics->node);
    metrics->nodes[0] = metrics->node;
    metrics->digests[0] = metrics->digest;
    memcpy(metrics->families, families, sizeof(metrics->families));
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        struct metric_label *label = &metrics->families[i].labels[0];

        if (metrics->families[i].first == CELL_CONFIG) {
            label[1].values = metrics->digests;
        }

        if (label->name != NULL && strcmp(label->name, "sink") == 0) {
            label->values = metrics->sinks;
            label->count = metrics->sink_count;
        } else if (label->name != NULL && strcmp(label->name, "node") == 0) {
            label->values = metrics->nodes;
            label->count = 1;
        } else if (label->name != NULL && strcmp(label->name, "shard") == 0) {
            label->count = (size_t)options->redis.shards;
        }
    }
    return config_digest(options, metrics->digest);
}

struct metrics *
metrics_open(const struct options *options, size_t count)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));

    if (metrics == NULL) {
        return NULL;
    }
    if (fill_families(metrics, options) != 0) {
        free(metrics);
        return NULL;
    }
    metric_layout(metrics->families, FAMILIES_COUNT, &metrics->layout);
    metrics->started_us = (uint64_t)clock_wall_ms() * MS_US;
    metrics->slots = stats_slots_open(count, &metrics->layout);
    if (metrics->slots == NULL) {
        free(metrics);
        return NULL;
    }
    return metrics;
}

void
metrics_close(struct metrics *metrics)
{
    if (metrics != NULL) {
        stats_slots_close(metrics->slots);
        free(metrics);
    }
}

void
metrics_begin(struct metrics *metrics, size_t worker)
{
    metrics->cells = stats_slots_begin(metrics->slots, worker);
    metrics->cpu_before = stats_get(&metrics->cells[CELL_CPU]);
    stats_set(&metrics->cells[CELL_BUILD], 1);
    stats_set(&metrics->cells[CELL_CONFIG], 1);
    stats_set(&metrics->cells[CELL_WORKERS], 1);
    stats_add(&metrics->cells[CELL_STARTS], 1);
    stats_set(&metrics->cells[CELL_START_TIME], metrics->started_us);
    metrics_refresh(metrics);
}

void
metrics_end(struct metrics *metrics, size_t worker)
{
    stats_slots_end(metrics->slots, worker);
}

static void
read_usage(struct metrics *metrics)
{
    struct process_usage usage;

    process_usage_read(&usage);
    stats_set(&metrics->cells[CELL_CPU],
              metrics->cpu_before + (uint64_t)usage.cpu_us);
    stats_set(&metrics->cells[CELL_MEMORY], (uint64_t)usage.memory_bytes);
    stats_set(&metrics->cells[CELL_OPEN_FDS], (uint64_t)usage.open_fds);
    stats_set(&metrics->cells[CELL_MAX_FDS], (uint64_t)usage.max_fds);
}

void
metrics_refresh(struct metrics *metrics)
{
    int64_t now_us = clock_mono_us();

    if (metrics->refreshed_us == 0 ||
        now_us - metrics->refreshed_us >= REFRESH_US) {
        metrics->refreshed_us = now_us;
        read_usage(metrics);
    }
}

void
metrics_write(struct metrics *metrics, FILE *out)
{
    uint64_t sums[STATS_CELLS];

    stats_slots_sum(metrics->slots, sums);
    metric_write(out, metrics->families, FAMILIES_COUNT, sums);
}

void
metrics_set_redis_state(struct metrics *metrics, enum redis_state state)
{
    stats_set(&metrics->cells[CELL_UP], state == REDIS_STATE_UP);
    stats_set(&metrics->cells[CELL_UNUSABLE], state == REDIS_STATE_UNUSABLE);
}

void
metrics_count_redis_error(struct metrics *metrics, enum redis_result result,
                          const char *refusal)
{
    enum redis_reason reason = redis_reason_of(result, refusal);

    stats_add(&metrics->cells[CELL_REDIS_ERRORS + reason], 1);
}

void
metrics_count_windows(struct metrics *metrics, enum metrics_window kind,
                      size_t count)
{
    stats_add(&metrics->cells[CELL_RECORDED + kind], count);
}

void
metrics_count_lost_windows(struct metrics *metrics, enum metrics_loss kind,
                           int64_t count)
{
    stats_add(&metrics->cells[CELL_LOST_WINDOWS + kind], (uint64_t)count);
}

/* Sets a cell of STATS_KNOWN; value < 0: it is unknown. */
static void
tell(struct metrics *metrics, int cell, int64_t value)
{
    if (value < 0) {
        stats_set(&metrics->cells[cell], 0);
    } else {
        stats_tell(&metrics->cells[cell], value);
    }
}

void
metrics_set_last_window(struct metrics *metrics,
                        const struct metrics_last_window *last)
{
    tell(metrics, CELL_WINDOW_START, last == NULL ? -1 : last->start_s);
    tell(metrics, CELL_WINDOW_IDS, last == NULL ? -1 : last->count);
    tell(metrics, CELL_SEAL_DELAY,
         last == NULL || last->delay_ms < 0 ? -1 : last->delay_ms * MS_US);
}

void
metrics_set_clock_skew(struct metrics *metrics, int64_t shard,
                       const int64_t *us)
{
    uint64_t *cell = &metrics->cells[CELL_SKEW + shard];

    if (us == NULL) {
        stats_set(cell, 0);
    } else {
        stats_tell(cell, *us);
    }
}

/* The place of a sink in report.sinks, of which it is one. */
static int
place_of(const struct metrics *metrics, enum sink_kind kind)
{
    int place = 0;

    while (metrics->sink_kinds[place] != kind &&
           place + 1 < (int)metrics->sink_count) {
        place++;
    }
    return place;
}

void
metrics_set_sink(struct metrics *metrics, enum sink_kind kind,
                 const struct metrics_sink *sink)
{
    int place = place_of(metrics, kind);

    tell(metrics, CELL_SINK_CURSOR + place,
         sink->cursor_s > 0 ? sink->cursor_s : -1);
    tell(metrics, CELL_SINK_LAG + place, sink->lag_windows);
    stats_set(&metrics->cells[CELL_SINK_OWNED + place], sink->owned);
}

void
metrics_count_write(struct metrics *metrics, enum sink_kind kind,
                    enum metrics_write_outcome outcome)
{
    int cell = CELL_SINK_WRITES +
               place_of(metrics, kind) * METRICS_WRITES_COUNT + (int)outcome;

    stats_add(&metrics->cells[cell], 1);
}

void
metrics_count_skipped(struct metrics *metrics, enum sink_kind kind,
                      int64_t windows)
{
    stats_add(&metrics->cells[CELL_SINK_SKIPPED + place_of(metrics, kind)],
              (uint64_t)windows);
}

void
metrics_set_queue(struct metrics *metrics, const struct metrics_queue *queue)
{
    tell(metrics, CELL_QUEUE_JOBS, queue == NULL ? -1 : queue->waiting);
    tell(metrics, CELL_QUEUE_JOBS + 1, queue == NULL ? -1 : queue->due);
    tell(metrics, CELL_QUEUE_JOBS + 2, queue == NULL ? -1 : queue->dead);
    tell(metrics, CELL_OLDEST, queue == NULL ? -1 : queue->oldest_ms * MS_US);
}

void
metrics_count_attempt(struct metrics *metrics, enum metrics_outcome outcome)
{
    stats_add(&metrics->cells[CELL_ATTEMPTS + outcome], 1);
}

void
metrics_observe_phase(struct metrics *metrics, enum metrics_phase phase,
                      int64_t us)
{
    if (us >= 0) {
        metric_observe(&metrics->families[ROW_ATTEMPT_DURATION], metrics->cells,
                       phase, (uint64_t)us, 1);
    }
}

void
metrics_observe_delivery(struct metrics *metrics, int64_t ms)
{
    /* Redis's clock may have stepped back. */
    metric_observe(&metrics->families[ROW_DELIVERY_DURATION], metrics->cells, 0,
                   (uint64_t)int64_max(ms, 0) * MS_US, 1);
}

void
metrics_count_settled(struct metrics *metrics, enum metrics_fate fate,
                      int64_t count)
{
    stats_add(&metrics->cells[CELL_SETTLED + fate], (uint64_t)count);
}

void
metrics_count_dropped(struct metrics *metrics, int64_t count)
{
    stats_add(&metrics->cells[CELL_DROPPED], (uint64_t)count);
}

void
metrics_count_unreadable(struct metrics *metrics, size_t count)
{
    stats_add(&metrics->cells[CELL_UNREADABLE], count);
}

void
metrics_count_spans(struct metrics *metrics, enum metrics_spans outcome,
                    size_t count)
{
    stats_add(&metrics->cells[CELL_SPANS + outcome], count);
}

void
metrics_set_under_way(struct metrics *metrics, size_t count)
{
    stats_set(&metrics->cells[CELL_UNDER_WAY], count);
}

void
metrics_set_destinations(struct metrics *metrics,
                         const size_t counts[METRICS_BREAKERS_COUNT])
{
    for (size_t i = 0; i < METRICS_BREAKERS_COUNT; i++) {
        stats_set(&metrics->cells[CELL_DESTINATIONS + i], counts[i]);
    }
}

void
metrics_set_failing_paths(struct metrics *metrics, size_t count)
{
    stats_set(&metrics->cells[CELL_FAILING_PATHS], count);
}
