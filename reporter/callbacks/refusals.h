/*
 * What is logged of addresses that we refuse to call: each with its reason,
 * but no flood of them.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include <stdint.h>

enum { REFUSALS_SAID_MAX = 1000, REFUSALS_PERIOD_MS = 60000 };

/* Zeroed: there were none. */
struct refusals {
    int64_t until_ms; /* monotonic: the end of this period */
    int said;         /* in this period */
    int64_t unsaid;
};

/* Logs one, or counts it. job is its id, host whom it was to call. */
void refusals_say(struct refusals *refusals, const char *job, const char *host,
                  const char *why);

/* Logs how many were only counted, at the end of a period. */
void refusals_sum_up(struct refusals *refusals);

#endif
