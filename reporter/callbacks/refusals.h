/*
 * The log lines of callbacks to addresses that are not permitted: each has its
 * reason, but their rate is limited.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include <stdint.h>

enum { REFUSALS_LOGGED_MAX = 1000, REFUSALS_PERIOD_MS = 60000 };

/* Zeroed: no refusals yet. */
struct refusals {
    int64_t until_ms; /* monotonic: the end of this period */
    int logged;       /* lines logged in this period */
    int64_t unlogged; /* refusals without a line */
};

/* Logs a refusal, or counts it. job is the job's id. */
void refusals_log(struct refusals *refusals, const char *job, const char *host,
                  const char *why);

/* Logs the number of refusals without a line, if the period is over. */
void refusals_sum_up(struct refusals *refusals);

#endif
