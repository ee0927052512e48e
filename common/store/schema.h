/*
 * What all programs on one Redis must agree on (version of the schema, length
 * of the window, dedup strategy, shards): written by the first that connects,
 * compared at each connect, and again where Redis's data has begun anew, as
 * what was agreed on is lost with it. Opens the connection that both programs
 * use.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "config/options.h"
#include "redis/redis.h"

/* The one shard's hash tag; with it the keys start <prefix>:{0}: */
#define SCHEMA_SHARD "{0}"

struct schema;

/* The name of the strategy, as it is agreed on; static. */
const char *schema_strategy(const struct options *options);

/*
 * Opens the connection that options describe. Its comings and goings are
 * logged, and once a minute that it is away. Keeps a reference to options. NULL
 * where the system refuses (errno).
 */
struct schema *schema_open(const struct options *options, const char *program);
void schema_close(struct schema *schema);

/* The connection; belongs to the schema. */
struct redis *schema_redis(struct schema *schema);

/* Size of a buffer for the text of `born`, with its NUL. */
enum { SCHEMA_BORN_SIZE = 32 };

/*
 * Agrees anew on a connection that is up, and sets born to the text that tells
 * this beginning of Redis's data from all others. Scripts that are told of one
 * and find another do nothing: then, and first of all, this is called. Returns
 * as redis_run: REDIS_REFUSED where another agreement is there (redis_error).
 */
enum redis_result schema_agree(const struct options *options,
                               struct redis *redis,
                               char born[SCHEMA_BORN_SIZE]);

#endif
