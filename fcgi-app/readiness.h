/*
 * Requests for /readyz: each shard is probed, and all that have come meanwhile
 * are answered.
 */
#ifndef READINESS_H
#define READINESS_H

#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "fcgi_conn.h"
#include "lane.h"
#include "metrics_page.h"

struct readiness;

/* All is borrowed for its life. */
struct readiness_settings {
    int64_t timeout_ms;        /* redis.timeout_ms */
    struct lane *const *lanes; /* of each shard */
    size_t count;              /* of these */
    struct answers *answers;
    const struct metrics_page *metrics; /* says who may read reasons */
};

/* NULL: no memory. */
struct readiness *readiness_open(const struct readiness_settings *settings);
void readiness_close(struct readiness *readiness);

/* Takes a request. The first has each shard probed, by lane_go. */
void readiness_add(struct readiness *readiness, struct fcgi_exchange *exchange);

/* The number of requests that are not answered. */
size_t readiness_held(const struct readiness *readiness);

/*
 * Answers all if each shard was probed, or 2 x redis.timeout_ms are over, or
 * there is no more time: at_once. A shard that was not probed has no answer.
 */
void readiness_finish(struct readiness *readiness, bool at_once);

/* Milliseconds until readiness_finish is to be called in any case; -1: never.
 */
int64_t readiness_wait_ms(const struct readiness *readiness);

#endif
