/*
 * The schema: what all programs on one Redis must agree on (version of the
 * keys, length of a window, dedup strategy, shards). The first program that
 * connects writes it into `meta`. Every program compares it at each connect,
 * and again if Redis's data was reset, because the agreement is lost with the
 * data.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stdbool.h>

#include "config/options.h"
#include "redis/redis.h"
#include "redis/redis_log.h"

/* The name of the dedup strategy, as it is agreed on; static. */
const char *schema_strategy(const struct options *options);

/*
 * How to connect to the node of a shard: for redis_open. options is a view of
 * the shard (shard.h), or there is one shard. The connection looks at the
 * rights and compares the schema at each connect, looks at the rights, the
 * eviction policy and the persistence once a minute, and logs its changes of
 * state through log. All arguments are borrowed for the life of the connection.
 */
struct redis_options schema_redis_options(const struct options *options,
                                          const char *program,
                                          struct redis_log *log);

/*
 * The same for keys without a hash tag, whose slot is `slot`: the schema is not
 * compared, as `meta` is on another node.
 */
struct redis_options schema_keyed_options(const struct options *options,
                                          const char *program,
                                          struct redis_log *log, int slot);

/* Size of a buffer for the text of `born`, with its NUL. */
enum { SCHEMA_BORN_SIZE = 32 };

/*
 * Compares the schema again, on a connection that is up. Sets born to the text
 * that identifies this life of Redis's data: it changes if the data is reset.
 * Scripts that are given another `born` than the one in Redis do nothing;
 * their caller then calls this function. It is also called before the first of
 * those scripts. Returns as redis_run: REDIS_REFUSED if Redis holds another
 * schema (see redis_error).
 */
enum redis_result schema_agree(const struct options *options,
                               struct redis *redis,
                               char born[SCHEMA_BORN_SIZE]);

/*
 * The same in steps: starts the call of the script, and reads its reply. False
 * if it is none.
 */
void schema_call(const struct options *options, struct redis *redis);
bool schema_read(const struct redis_reply *reply, char born[SCHEMA_BORN_SIZE]);

#endif
