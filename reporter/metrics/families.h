/*
 * The families of the reporter's metrics: a table of metric.h, and the cells of
 * each. docs/metrics.md lists them. Only for metrics.c.
 */
#ifndef FAMILIES_H
#define FAMILIES_H

#include "metrics.h"
#include "redis/redis_reason.h"
#include "stats/metric.h"

enum {
    FAMILIES_SINKS = 4,           /* bits of enum sink_kind */
    FAMILIES_SHARDS = 60,         /* the highest redis.shards */
    FAMILIES_ATTEMPT_BOUNDS = 7,  /* of attempt_duration_seconds */
    FAMILIES_DELIVERY_BOUNDS = 7, /* of delivery_duration_seconds */
    FAMILIES_HISTOGRAM_MORE = 2,  /* cells: above all bounds, and the sum */
};

/* The first cell of each family. */
enum {
    CELL_BUILD,
    CELL_CONFIG,
    CELL_WINDOW_IDS,
    CELL_WINDOW_START,
    CELL_RECORDED,
    CELL_SEAL_DELAY = CELL_RECORDED + METRICS_WINDOWS_COUNT,
    CELL_LOST_WINDOWS,
    CELL_SINK_CURSOR = CELL_LOST_WINDOWS + METRICS_LOSSES_COUNT,
    CELL_SINK_LAG = CELL_SINK_CURSOR + FAMILIES_SINKS,
    CELL_SINK_OWNED = CELL_SINK_LAG + FAMILIES_SINKS,
    CELL_SINK_WRITES = CELL_SINK_OWNED + FAMILIES_SINKS,
    CELL_SINK_SKIPPED =
        CELL_SINK_WRITES + FAMILIES_SINKS * METRICS_WRITES_COUNT,
    CELL_QUEUE_JOBS = CELL_SINK_SKIPPED + FAMILIES_SINKS,
    CELL_OLDEST = CELL_QUEUE_JOBS + 3,
    CELL_ATTEMPTS,
    CELL_SETTLED = CELL_ATTEMPTS + METRICS_OUTCOMES_COUNT,
    CELL_DROPPED = CELL_SETTLED + METRICS_FATES_COUNT,
    CELL_UNREADABLE,
    CELL_SPANS,
    CELL_ATTEMPT_DURATION = CELL_SPANS + METRICS_SPANS_COUNT,
    CELL_DELIVERY_DURATION = CELL_ATTEMPT_DURATION +
                             METRICS_PHASES_COUNT * (FAMILIES_ATTEMPT_BOUNDS +
                                                     FAMILIES_HISTOGRAM_MORE),
    CELL_UNDER_WAY = CELL_DELIVERY_DURATION + FAMILIES_DELIVERY_BOUNDS +
                     FAMILIES_HISTOGRAM_MORE,
    CELL_DESTINATIONS,
    CELL_FAILING_PATHS = CELL_DESTINATIONS + METRICS_BREAKERS_COUNT,
    CELL_UP,
    CELL_UNUSABLE,
    CELL_REDIS_ERRORS,
    CELL_SKEW = CELL_REDIS_ERRORS + REDIS_REASONS_COUNT,
    CELL_WORKERS = CELL_SKEW + FAMILIES_SHARDS,
    CELL_STARTS,
    CELL_START_TIME,
    CELL_OPEN_FDS,
    CELL_MAX_FDS,
    CELL_MEMORY,
    CELL_CPU,
    CELLS,
};

_Static_assert((int)CELLS <= (int)STATS_CELLS, "the cells fit into a slot");

/* The rows that are needed by their number; others follow. */
enum { ROW_ATTEMPT_DURATION, ROW_DELIVERY_DURATION, FAMILIES_COUNT = 35 };

/* The labels sink, node and config have no values here, and the label shard has
   those of all shards that there may be. */
extern const struct metric families[]; /* FAMILIES_COUNT */

#endif
