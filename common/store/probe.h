/*
 * The probe of /readyz (lua/probe.lua): whether Redis would count a batch now,
 * and if not, what keeps it from that.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

/* What keeps Redis from counting, in the order in which it is looked for. */
enum probe_fault {
    PROBE_READY,     /* nothing */
    PROBE_NO_ANSWER, /* Redis is away, too slow, or refuses the connection */
    PROBE_EVICTION,  /* the eviction policy is not noeviction */
    PROBE_RIGHTS,    /* the user of redis.url lacks rights */
    PROBE_SETTINGS,  /* Redis was set up with other settings (schema.h) */
    PROBE_MEMORY,    /* Redis is out of memory */
    PROBE_WRITE,     /* Redis refuses writes for another reason */
    PROBE_REPLICAS,  /* too few replicas: redis.wait_replicas */
};

struct probe {
    enum probe_fault fault;
    bool looked; /* the following are known */
    /* The callback queue, as accept.lua sees it, and its limits: */
    int64_t jobs;
    int64_t max_jobs;
    int64_t bytes;
    int64_t max_bytes;
    int64_t reporters; /* workers that deliver callbacks */
    int64_t lost;      /* windows that will be gaps, and are not recorded yet */
};

/* Starts the call of the script: redis_run follows. */
void probe_call(const struct options *options, struct redis *redis);

/* Sets *found by the result of that run, and by its reply. */
void probe_read(const struct options *options, const struct redis *redis,
                enum redis_result result, const struct redis_reply *reply,
                struct probe *found);

/*
 * What a run that failed says: of the probe, or of schema_agree before it.
 * refused: its result was REDIS_REFUSED.
 */
enum probe_fault probe_fault_of(const struct redis *redis, bool refused);

#endif
