/*
 * The lines about circuit breakers in the program's log: a warning if one
 * opens, and its end. Their rate is limited, because clients choose hosts.
 */
#ifndef BREAKER_LOG_H
#define BREAKER_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_LOG_LINES = 100, BREAKER_LOG_PERIOD_MS = 60 * 1000 };

/* A breaker before and after an attempt. */
struct breaker_change {
    const char *origin; /* of the destination */
    bool was_open;      /* not closed, before */
    bool is_open;
    int64_t open_ms;   /* until the probe, if it has opened */
    const char *error; /* of the attempt */
    int64_t waiting;   /* jobs for that destination, as far as known */
};

/* Zeroed: no line yet. */
struct breaker_log {
    int64_t until_ms; /* monotonic: the end of this period */
    int lines;        /* in this period */
    int64_t unlogged; /* changes without a line */
};

/* Logs a change; a breaker that stays open or closed is none. */
void breaker_log_note(struct breaker_log *log,
                      const struct breaker_change *change, int64_t now_ms);

/* Logs the number of changes without a line, once the period is over. */
void breaker_log_sum_up(struct breaker_log *log, int64_t now_ms);

#endif
