/*
 * All connections of a program to the store: one for each shard, and in a
 * Redis Cluster one more for each key that belongs to no shard (verve:windows,
 * for example), because only the node that has the key's slot may use it. Each
 * connection finds its node, and follows if the slot moves to another.
 */
#ifndef STORE_H
#define STORE_H

#include "config/options.h"
#include "redis/redis.h"

struct store;

struct store_settings {
    const struct options *options; /* borrowed for the life of the store */
    const char *program;           /* shown by CLIENT LIST; borrowed */
    /* As in redis_options, for all connections. May be NULL. */
    void (*on_failure)(void *context, enum redis_result result,
                       const char *refusal);
    void *on_failure_context;
};

/* Starts to connect to all shards. NULL: no memory, or errno. */
struct store *store_open(const struct store_settings *settings);
void store_close(struct store *store);

/* options.redis.shards. */
int64_t store_shards(const struct store *store);

/* The options as a part that deals with this shard sees them: shard_view. */
const struct options *store_view(const struct store *store, int64_t shard);

/* The connection of a shard. */
struct redis *store_shard(const struct store *store, int64_t shard);

/*
 * The connection for a key without hash tag. Without a cluster it is that of
 * shard 0. Else it is opened when its slot is asked for the first time; NULL:
 * no memory, or errno.
 */
struct redis *store_keyed(struct store *store, const char *key);

/* One fd for all connections: readable if store_step has something to do. */
int store_fd(const struct store *store);

/* redis_step for each connection that has something to do. */
void store_step(struct store *store);

/* The worst state of a shard: UNUSABLE, DOWN, CONNECTING, UP in this order. */
enum redis_state store_state(const struct store *store);

/* The error of a shard in the worst state: see redis_error. Never NULL. */
const char *store_error(const struct store *store);

/* redis_wait for all shards: blocks for redis.timeout_ms at most. */
enum redis_state store_wait(struct store *store);

#endif
