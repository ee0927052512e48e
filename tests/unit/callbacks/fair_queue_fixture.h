/*
 * For the tests of fair_queue: options, results of attempts, and jobs. Time
 * is the tests' own. Header only, as each test is one program.
 */
#ifndef FAIR_QUEUE_FIXTURE_H
#define FAIR_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/destinations.h"
#include "callbacks/fair_queue.h"

enum { NOW_MS = 1000000, LEASE_MS = 30000, TIMEOUT_MS = 5000 };

static const struct options options = {
    .callbacks = {.concurrency = 1024,
                  .per_host_concurrency = 64,
                  .timeout_ms = TIMEOUT_MS},
};

static const struct retry_verdict success = {.evidence = RETRY_EVIDENCE_SUCCESS,
                                             .reach = RETRY_REACH_ANSWERED};
/* A status of 500, say. */
static const struct retry_verdict failure = {.evidence = RETRY_EVIDENCE_FAILURE,
                                             .reach = RETRY_REACH_ANSWERED};
/* A time limit, say. */
static const struct retry_verdict lost = {.evidence = RETRY_EVIDENCE_FAILURE,
                                          .reach = RETRY_REACH_LOST};

/* A job that has only a URL of the host, and a lease. To be freed. */
static inline struct job *
make(const char *host, int64_t now_ms)
{
    enum { URL_SIZE = 64 };
    struct job *job = calloc(1, sizeof(*job) + URL_SIZE);
    char *url = (char *)(job + 1);

    snprintf(url, URL_SIZE, "http://%s/path", host);
    job->url = url;
    job->leased_ms = now_ms + LEASE_MS;
    return job;
}

#endif
