/*
 * The paths of endpoints that fail: for each a circuit breaker and the end of a
 * Retry-After. A path is scheme, host, port and path of a URL, without its
 * query. What a status says counts for the path, so that one customer's
 * endpoint on a shared host cannot stop those of others.
 *
 * Only paths with a failure or a hold are remembered, at most PATHS_MAX: then
 * the path that was used longest ago goes. Pure: the caller passes the time.
 */
#ifndef PATHS_H
#define PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "retry_policy.h"

struct paths;

enum {
    PATHS_MAX = 10000,
    PATHS_PROBED_MS = 1000, /* for so long a job waits for another's probe */
};

/* seed is a random number: clients cannot choose paths that collide. NULL: no
   memory. */
struct paths *paths_open(uint64_t seed);
void paths_close(struct paths *paths);

/* The key of url's path; origin is url's, as origin_read writes it. */
uint64_t paths_key(const struct paths *paths, const char *origin,
                   const char *url);

/* True if the path is remembered: it fails, or did. */
bool paths_has(const struct paths *paths, uint64_t key);

/* How long no attempt may start; 0: one may. */
int64_t paths_blocked_ms(const struct paths *paths, uint64_t key,
                         int64_t now_ms);

/* How many have an open breaker. */
size_t paths_count_open(const struct paths *paths, int64_t now_ms);

/* Notes that an attempt starts. True if it is the probe of the path's breaker:
   the caller passes that to paths_end. */
bool paths_start(struct paths *paths, uint64_t key, int64_t now_ms);

/* Notes how it ended. Without memory, nothing is remembered. */
void paths_end(struct paths *paths, uint64_t key, bool probe,
               const struct retry_verdict *verdict, int64_t now_ms);

#endif
