/*
 * probe: the call of probe.lua. Which fault it is, is read in the text of
 * Redis's error: Redis has no other code of an error.
 */
#include "probe.h"

#include <string.h>

#include "accept_call.h"
#include "keys.h"
#include "probe.lua.h"

void
probe_call(const struct options *options, struct redis *redis)
{
    static const enum key keys[] = {
        KEY_READY,        KEY_QUEUE,     KEY_CALLBACKS, KEY_DUE,
        KEY_DESTINATIONS, KEY_STRANGERS, KEY_REPORTERS, KEY_LOST};
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag};
    struct command *call = redis_call(redis, &script_probe);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        keys_add(call, keys[i], &parts);
    }
    redis_call_replicas(call, options->redis.wait_replicas);
}

/* Why no script can be run. */
static enum probe_fault
fault_of_connection(const struct redis *redis)
{
    if (redis_state(redis) != REDIS_STATE_UNUSABLE) {
        return PROBE_NO_ANSWER;
    }
    switch (redis_fault(redis)) {
    case REDIS_FAULT_EVICTION:
        return PROBE_EVICTION;
    case REDIS_FAULT_RIGHTS:
        return PROBE_RIGHTS;
    case REDIS_FAULT_CHECK:
        return PROBE_SETTINGS;
    case REDIS_FAULT_OTHER:
        break;
    }
    return PROBE_NO_ANSWER;
}

/* The errors of Redis that tell more than that a run has failed. */
static const struct {
    const char *text;
    enum probe_fault fault;
} errors[] = {
    {": OOM ", PROBE_MEMORY},       {": MISMATCH ", PROBE_SETTINGS},
    {": NOPERM ", PROBE_RIGHTS},    {": READONLY ", PROBE_WRITE},
    {": NOREPLICAS ", PROBE_WRITE}, {": MISCONF ", PROBE_WRITE},
};

enum probe_fault
probe_fault_of(const struct redis *redis, bool refused)
{
    const char *error = redis_error(redis);

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (redis_state(redis) != REDIS_STATE_UNUSABLE &&
            strstr(error, errors[i].text) != NULL) {
            return errors[i].fault;
        }
    }
    return refused ? PROBE_WRITE : fault_of_connection(redis);
}

void
probe_read(const struct options *options, const struct redis *redis,
           enum redis_result result, const struct redis_reply *reply,
           struct probe *found)
{
    if (result != REDIS_DONE && result != REDIS_SPARSE) {
        found->fault = probe_fault_of(redis, result == REDIS_REFUSED);
        return;
    }
    found->fault = result == REDIS_DONE ? PROBE_READY : PROBE_REPLICAS;
    found->max_jobs = options->callbacks.max_queue;
    found->max_bytes = accept_call_max_queue_bytes(options, redis);
    found->looked =
        redis_reply_int(redis_reply_at(reply, 0), &found->jobs) &&
        redis_reply_int(redis_reply_at(reply, 1), &found->bytes) &&
        redis_reply_int(redis_reply_at(reply, 2), &found->reporters) &&
        redis_reply_int(redis_reply_at(reply, 3), &found->lost);
}
