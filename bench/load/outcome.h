/*
 * What became of the requests: one line each in the results file, and the
 * summary. A request ends in an answer or in the name of what went wrong;
 * nothing is left out of either.
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
    OUTCOME_MALFORMED, /* what came was no answer */
    OUTCOME_ERRORS,
};

/* A zeroed struct is empty; set results where lines are wanted. */
struct outcome {
    FILE *results;         /* NULL: no lines */
    int64_t wall_minus_us; /* wall clock less monotonic clock */
    uint64_t requests;
    uint64_t ok;            /* 200 with the body "ok" */
    uint64_t statuses[600]; /* of the answers that were not ok */
    uint64_t errors[OUTCOME_ERRORS];
    struct histogram latency_us; /* of answers, and of waits up to the limit */
};

struct outcome_request {
    uint64_t index;
    size_t host;
    int64_t start_us; /* monotonic; meant to be sent, or sent */
};

void outcome_answer(struct outcome *outcome,
                    const struct outcome_request *request,
                    const struct answer *answer, int64_t now_us);
void outcome_fail(struct outcome *outcome,
                  const struct outcome_request *request,
                  enum outcome_error error, int64_t now_us);

/* Writes the summary as one line of JSON; its rate is of what was ok. */
void outcome_print(const struct outcome *outcome, double seconds, FILE *out);

#endif
