/*
 * What all programs on one Redis must agree on (version of the schema, length
 * of the window, dedup strategy, shards): written by the first that connects,
 * compared at each connect. Opens the connection that both programs use.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "option.h"
#include "redis.h"

/* The one shard's hash tag; with it the keys start <prefix>:{0}: */
#define SCHEMA_SHARD "{0}"

struct schema;

/*
 * Opens the connection that options describe. Its comings and goings are
 * logged. Keeps a reference to options. NULL where the system refuses (errno).
 */
struct schema *schema_open(const struct options *options, const char *program);
void schema_close(struct schema *schema);

/* The connection; belongs to the schema. */
struct redis *schema_redis(struct schema *schema);

#endif
