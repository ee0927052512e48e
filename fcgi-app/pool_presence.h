/*
 * The presence of the pool in Redis (store/presence.h). Each responder writes
 * the same entry, so that it is up to date whichever of them lives, and hears
 * which reporters live.
 */
#ifndef POOL_PRESENCE_H
#define POOL_PRESENCE_H

#include "config/options.h"
#include "pool_stats.h"
#include "redis/redis.h"
#include "store/presence.h"

struct pool_presence;

/* redis and stats are borrowed for its life. NULL: no memory. */
struct pool_presence *pool_presence_open(const struct options *options,
                                         struct redis *redis,
                                         struct pool_stats *stats);
void pool_presence_close(struct pool_presence *presence);

/* As presence_wait_ms. */
int64_t pool_presence_wait_ms(const struct pool_presence *presence);

/*
 * Writes the presence, while nothing else is under way on the connection. True
 * while it is under way: call redis_await, then pool_presence_step.
 */
bool pool_presence_start(struct pool_presence *presence);
bool pool_presence_step(struct pool_presence *presence);

/* For a responder that ends: the last of the pool removes the entry. */
void pool_presence_sign_off(struct pool_presence *presence);

#endif
