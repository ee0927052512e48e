/*
 * report_metrics: what is not known any more is not shown with its last value,
 * which would be taken for the present one.
 */
#include "report_metrics.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/util.h"
#include "store/queue_state.h"

static void
count_losses(struct report_metrics *report,
             const struct window_closer_sealed *sealed)
{
    metrics_count_lost_windows(report->metrics, METRICS_LOST_GAP,
                               (int64_t)sealed->gaps);
    metrics_count_lost_windows(report->metrics, METRICS_LOST_LATE,
                               sealed->late);
    metrics_count_lost_windows(report->metrics, METRICS_LOST_SKIPPED,
                               sealed->skipped);
}

void
report_metrics_note(struct report_metrics *report,
                    const struct window_closer_sealed *sealed)
{
    struct metrics_last_window last = {.start_s = sealed->last.start_s,
                                       .count = sealed->last.count};
    size_t lates = sealed->own_lates;

    if (sealed->own > 0) {
        report->own_s = sealed->last.start_s;
        report->delay_ms = sealed->delay_ms;
    }
    /* Else the delay of a window long ago would stay, if another reporter has
       recorded all since. */
    last.delay_ms = last.start_s == report->own_s ? report->delay_ms : -1;
    metrics_set_last_window(report->metrics, last.start_s == 0 ? NULL : &last);
    metrics_count_windows(report->metrics, METRICS_WINDOW_GAP, sealed->gaps);
    metrics_count_windows(report->metrics, METRICS_WINDOW_LATE, lates);
    metrics_count_windows(report->metrics, METRICS_WINDOW_COUNT,
                          sealed->own - sealed->gaps - lates);
    count_losses(report, sealed);
}

void
report_metrics_note_skew(struct report_metrics *report, int64_t shard,
                         int64_t skew_us)
{
    metrics_set_clock_skew(report->metrics, shard, &skew_us);
}

void
report_metrics_note_failure(struct report_metrics *report)
{
    for (int64_t i = 0; i < store_shards(report->store); i++) {
        metrics_set_clock_skew(report->metrics, i, NULL);
    }
    metrics_set_queue(report->metrics, NULL);
    report->queue_ms = 0;
}

/* Adds the queue of a shard; false: its Redis is away or refuses. */
static bool
add_queue(const struct report_metrics *report, int64_t shard,
          struct metrics_queue *queue)
{
    struct queue_state state;

    if (queue_state_read(store_view(report->store, shard),
                         store_shard(report->store, shard), &state) != 0) {
        return false;
    }
    queue->waiting += state.waiting;
    queue->due += state.due;
    queue->dead += state.dead;
    queue->oldest_ms = int64_max(queue->oldest_ms, state.oldest_ms);
    return true;
}

void
report_metrics_step(struct report_metrics *report)
{
    int64_t now_ms = clock_mono_ms();
    struct metrics_queue queue = {0};

    if (now_ms < report->queue_ms) {
        return;
    }
    for (int64_t i = 0; i < store_shards(report->store); i++) {
        if (!add_queue(report, i, &queue)) {
            report_metrics_note_failure(report);
            return;
        }
    }
    metrics_set_queue(report->metrics, &queue);
    report->queue_ms = now_ms + REPORT_METRICS_QUEUE_MS;
}
