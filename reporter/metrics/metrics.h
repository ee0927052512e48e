/*
 * The metrics of the reporter. Each worker process counts into cells of its
 * own, and any process writes the sums of all. docs/metrics.md lists the
 * families.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/options.h"
#include "redis/redis.h"

struct metrics;

/*
 * For workers 0 to count - 1; before they are forked. options is borrowed for
 * its life. NULL: the system refuses (errno).
 */
struct metrics *metrics_open(const struct options *options, size_t count);
void metrics_close(struct metrics *metrics);

/* This process is that worker, and has just been started. Before this call,
   nothing may be counted. */
void metrics_begin(struct metrics *metrics, size_t worker);

/* For the parent: the worker has ended. Its counters stay. */
void metrics_end(struct metrics *metrics, size_t worker);

/* Reads what the process uses of the system, if that is due. */
void metrics_refresh(struct metrics *metrics);

/* Writes the sums of all workers in the text format of Prometheus. */
void metrics_write(struct metrics *metrics, FILE *out);

void metrics_set_redis_state(struct metrics *metrics, enum redis_state state);

/* As redis_options.on_failure. */
void metrics_count_redis_error(struct metrics *metrics,
                               enum redis_result result, const char *refusal);

/* Windows that this reporter recorded. */
enum metrics_window {
    METRICS_WINDOW_COUNT,
    METRICS_WINDOW_LATE,
    METRICS_WINDOW_GAP,
    METRICS_WINDOWS_COUNT,
};

void metrics_count_windows(struct metrics *metrics, enum metrics_window kind,
                           size_t count);

/* Windows without their right count. */
enum metrics_loss {
    METRICS_LOST_GAP,
    METRICS_LOST_LATE,
    METRICS_LOST_SKIPPED,
    METRICS_LOSSES_COUNT,
};

void metrics_count_lost_windows(struct metrics *metrics, enum metrics_loss kind,
                                int64_t count);

/* The last window that is recorded. */
struct metrics_last_window {
    int64_t start_s;
    int64_t count;    /* -1: a gap */
    int64_t delay_ms; /* from its end to its record; -1: another reporter has
                         recorded it */
};

/* NULL: it is not known. */
void metrics_set_last_window(struct metrics *metrics,
                             const struct metrics_last_window *last);

/* The clock of a shard's Redis less that of this host; NULL: it is not known.
 */
void metrics_set_clock_skew(struct metrics *metrics, int64_t shard,
                            const int64_t *us);

struct metrics_sink {
    int64_t cursor_s;    /* 0: not known */
    int64_t lag_windows; /* -1: not known, or another reporter's to say */
    bool owned;
};

void metrics_set_sink(struct metrics *metrics, enum sink_kind kind,
                      const struct metrics_sink *sink);

enum metrics_write_outcome {
    METRICS_WRITE_DONE,
    METRICS_WRITE_FAILED,
    METRICS_WRITES_COUNT,
};

void metrics_count_write(struct metrics *metrics, enum sink_kind kind,
                         enum metrics_write_outcome outcome);
void metrics_count_skipped(struct metrics *metrics, enum sink_kind kind,
                           int64_t windows);

struct metrics_queue {
    int64_t waiting;
    int64_t due;
    int64_t dead;
    int64_t oldest_ms; /* age of the oldest that waits; 0: none does */
};

/* NULL: it is not known. */
void metrics_set_queue(struct metrics *metrics,
                       const struct metrics_queue *queue);

enum metrics_outcome {
    METRICS_2XX,
    METRICS_3XX,
    METRICS_4XX,
    METRICS_5XX,
    METRICS_CONNECT,
    METRICS_TIMEOUT,
    METRICS_TLS,
    METRICS_DNS,
    METRICS_REFUSED,
    METRICS_OTHER,
    METRICS_OUTCOMES_COUNT,
};

void metrics_count_attempt(struct metrics *metrics,
                           enum metrics_outcome outcome);

enum metrics_phase {
    METRICS_PHASE_DNS,
    METRICS_PHASE_CONNECT,
    METRICS_PHASE_TLS,
    METRICS_PHASE_ANSWER,
    METRICS_PHASE_ALL,
    METRICS_PHASES_COUNT,
};

/* us < 0: the attempt had no such phase. */
void metrics_observe_phase(struct metrics *metrics, enum metrics_phase phase,
                           int64_t us);

/* From the accepted request to the 2xx answer. */
void metrics_observe_delivery(struct metrics *metrics, int64_t ms);

enum metrics_fate {
    METRICS_DELIVERED,
    METRICS_RETRY,
    METRICS_DEAD,
    METRICS_RETURNED,
    METRICS_STALE,
    METRICS_BLOCKED,
    METRICS_FATES_COUNT,
};

void metrics_count_settled(struct metrics *metrics, enum metrics_fate fate,
                           int64_t count);
void metrics_count_dropped(struct metrics *metrics, int64_t count);
void metrics_count_unreadable(struct metrics *metrics, size_t count);

/* What became of the spans for otlp.endpoint. */
enum metrics_spans {
    METRICS_SPANS_EXPORTED,
    METRICS_SPANS_REJECTED, /* by the receiver */
    METRICS_SPANS_DROPPED,  /* no room in the queue, or left at the end */
    METRICS_SPANS_COUNT,
};

void metrics_count_spans(struct metrics *metrics, enum metrics_spans outcome,
                         size_t count);

void metrics_set_under_way(struct metrics *metrics, size_t count);

enum metrics_breaker {
    METRICS_BREAKER_CLOSED,
    METRICS_BREAKER_OPEN,
    METRICS_BREAKER_HALF_OPEN,
    METRICS_BREAKERS_COUNT,
};

/* How many destinations have their breaker in each state. */
void metrics_set_destinations(struct metrics *metrics,
                              const size_t counts[METRICS_BREAKERS_COUNT]);

/* Of paths_count_open. */
void metrics_set_failing_paths(struct metrics *metrics, size_t count);

#endif
