/*
 * The hosts that must not be called: those of callbacks.block, and those that
 * an operator has blocked with vervectl, which are kept in Redis. A job is
 * judged by the host in its URL; nothing is looked up in the DNS.
 */
#ifndef BLOCKLIST_H
#define BLOCKLIST_H

#include <stdbool.h>

#include "config/options.h"
#include "redis/redis.h"
#include "retry_policy.h"
#include "store/job.h"

enum {
    BLOCKLIST_READ_MS = 1000, /* between two looks into Redis */
    /* A job that is kept is claimed again after this, +-20 %. */
    BLOCKLIST_RETRY_MS = 300 * 1000,
};

struct blocklist;

/* Starts with callbacks.block. options is borrowed. NULL: no memory. */
struct blocklist *blocklist_open(const struct options *options);
void blocklist_close(struct blocklist *list);

/*
 * Reads callbacks.block again, from the source of the options. If the
 * configuration has an error, logs it, and the list stays as it was.
 */
void blocklist_reload(struct blocklist *list);

/*
 * Reads the hosts in Redis if BLOCKLIST_READ_MS have passed. If Redis is away
 * or refuses, those that were read last count. Blocks for at most 2 x
 * redis.timeout_ms.
 */
void blocklist_step(struct blocklist *list, struct redis *redis);

/*
 * True if job, which has a url, must not be sent. *verdict then returns it
 * without an attempt used, or drops it, as the operator chose; if both were
 * chosen for its host, it is dropped.
 */
bool blocklist_has(const struct blocklist *list, const struct job *job,
                   struct retry_verdict *verdict);

#endif
