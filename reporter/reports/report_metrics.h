/*
 * What the reports tell the metrics: windows, clock and queue as of the last
 * turn.
 */
#ifndef REPORT_METRICS_H
#define REPORT_METRICS_H

#include "metrics/metrics.h"
#include "store/store.h"
#include "store/window_closer.h"

/* The time between two looks at the queue. */
enum { REPORT_METRICS_QUEUE_MS = 5000 };

struct report_metrics {
    struct metrics *metrics;
    struct store *store;
    int64_t queue_ms; /* monotonic: the next look at the queue */
    int64_t own_s;    /* the last window that this reporter recorded; 0: none */
    int64_t delay_ms; /* its delay */
};

/* A turn in which windows were sealed. */
void report_metrics_note(struct report_metrics *report,
                         const struct window_closer_sealed *sealed);

/* The same turn: the clock of a shard's Redis less the wall clock of this host.
 */
void report_metrics_note_skew(struct report_metrics *report, int64_t shard,
                              int64_t skew_us);

/* A turn in which Redis was away, or refused. */
void report_metrics_note_failure(struct report_metrics *report);

/* Looks at the queue of each shard, if that is due. Blocks for at most 2 x
   redis.timeout_ms a shard. */
void report_metrics_step(struct report_metrics *report);

#endif
