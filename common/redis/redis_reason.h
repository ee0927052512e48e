/*
 * Why a run of a script had no useful answer, as metrics name it.
 */
#ifndef REDIS_REASON_H
#define REDIS_REASON_H

#include "redis.h"

enum redis_reason {
    REDIS_REASON_AWAY,
    REDIS_REASON_LOST,
    REDIS_REASON_FULL, /* out of memory */
    REDIS_REASON_REFUSED,
    REDIS_REASON_SPARSE,
    REDIS_REASON_MOVED,
    REDIS_REASON_TRYAGAIN,
    REDIS_REASON_CLUSTERDOWN,
    REDIS_REASONS_COUNT,
};

extern const char *const redis_reason_names[REDIS_REASONS_COUNT];

/* result is not REDIS_DONE; refusal is that of redis_refusal. */
enum redis_reason redis_reason_of(enum redis_result result,
                                  const char *refusal);

#endif
