/*
 * What reporters publish of themselves in Redis, so that an operator sees all
 * of them from anywhere: a text each, under a key of its own that is gone soon
 * after its reporter is, and a zset of their names.
 */
#ifndef REPORTERS_H
#define REPORTERS_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

/* A name with its NUL. */
enum { REPORTERS_NAME_SIZE = 128 };

/* Writes the name of this process: <host>:<pid>. */
void reporters_own_name(char name[REPORTERS_NAME_SIZE]);

/*
 * Publishes text[0..len) for ttl_ms. 0, or -1 where Redis is away or refuses
 * (see redis_error). Blocks for at most 2 x redis.timeout_ms.
 */
int reporters_publish(const struct options *options, struct redis *redis,
                      const char *name, const char *text, size_t len,
                      int64_t ttl_ms);

#endif
