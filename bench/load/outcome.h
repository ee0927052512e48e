/*
 * The outcome of all requests: a line for each in the results file, and a
 * summary. A request ends with an answer or with the name of an error; both the
 * file and the summary have every request.
 */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdint.h>
#include <stdio.h>

#include "answer.h"
#include "histogram.h"

/* Why there was no answer. */
enum outcome_error {
    OUTCOME_CONNECT,   /* the connection was refused */
    OUTCOME_LOST,      /* it broke before the answer was complete */
    OUTCOME_TIMEOUT,   /* the answer took too long */
    OUTCOME_MALFORMED, /* the bytes received are no answer */
    OUTCOME_ERRORS,
};

/* Zeroed: empty. If lines are wanted, set results. */
struct outcome {
    FILE *results;         /* NULL: no lines */
    int64_t wall_minus_us; /* wall clock less monotonic clock */
    uint64_t requests;
    uint64_t ok;            /* 200 with the body "ok" */
    uint64_t statuses[600]; /* of the answers that were not ok */
    uint64_t errors[OUTCOME_ERRORS];
    struct histogram latency_us; /* of answers and timeouts */
};

struct outcome_request {
    uint64_t index;
    size_t host;
    int64_t start_us; /* monotonic: when it was due; in a closed loop, sent */
};

void outcome_answer(struct outcome *outcome,
                    const struct outcome_request *request,
                    const struct answer *answer, int64_t now_us);
void outcome_fail(struct outcome *outcome,
                  const struct outcome_request *request,
                  enum outcome_error error, int64_t now_us);

/* Writes the summary as a line of JSON; its rate is that of ok answers. */
void outcome_print(const struct outcome *outcome, double seconds, FILE *out);

#endif
