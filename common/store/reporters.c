/*
 * reporters: one script.
 */
#include "reporters.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "reporters-publish.lua.h"
#include "schema.h"

void
reporters_own_name(char name[REPORTERS_NAME_SIZE])
{
    char host[HOST_NAME_SIZE];

    host_name(host);
    snprintf(name, REPORTERS_NAME_SIZE, "%s:%ld", host, (long)getpid());
}

int
reporters_publish(const struct options *options, struct redis *redis,
                  const char *name, const char *text, size_t len,
                  int64_t ttl_ms)
{
    const char *prefix = options->redis.prefix;
    struct command *call = redis_call(redis, &script_reporters_publish);
    const struct redis_reply *reply;

    redis_key(call, "%s:" SCHEMA_SHARD ":reporter:%s", prefix, name);
    redis_key(call, "%s:" SCHEMA_SHARD ":reporters", prefix);
    redis_arg(call, name, strlen(name));
    redis_arg(call, text, len);
    redis_arg_int(call, ttl_ms);
    return redis_run(redis, &reply) == REDIS_DONE ? 0 : -1;
}
