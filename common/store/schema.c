/*
 * schema: the agreement between all programs on one Redis, and the connection
 * that is made with it.
 */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "schema.lua.h"

enum { SCHEMA_VERSION = 2 };

struct schema {
    const struct options *options;
    struct redis *redis;
};

const char *
schema_strategy(const struct options *options)
{
    switch ((enum dedup_kind)options->dedup.strategy) {
    case DEDUP_SETNX:
        return "setnx";
    case DEDUP_SET:
        return "set";
    case DEDUP_HLL:
        return "hll";
    }
    return "unknown";
}

static void
ask_int(struct command *call, const char *field, int64_t value)
{
    redis_arg(call, field, strlen(field));
    redis_arg_int(call, value);
}

static void
add_words(struct command *call, const struct options *options)
{
    const char *strategy = schema_strategy(options);

    redis_key(call, "%s:" SCHEMA_SHARD ":meta", options->redis.prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":born", options->redis.prefix);
    ask_int(call, "version", SCHEMA_VERSION);
    ask_int(call, "window_seconds", options->window.seconds);
    ask_int(call, "shards", options->redis.shards);
    redis_arg(call, "strategy", strlen("strategy"));
    redis_arg(call, strategy, strlen(strategy));
}

static void
ask(void *context, struct command *call)
{
    add_words(call, ((struct schema *)context)->options);
}

/* What differs is an error reply, which never comes here. */
static bool
judge(void *context, const struct redis_reply *reply, char *why,
      size_t why_size)
{
    (void)context;
    (void)reply;
    (void)why;
    (void)why_size;
    return true;
}

enum redis_result
schema_agree(const struct options *options, struct redis *redis,
             char born[SCHEMA_BORN_SIZE])
{
    const struct redis_reply *reply;
    enum redis_result result;
    const char *text;
    size_t len;

    add_words(redis_call(redis, &script_schema), options);
    result = redis_run(redis, &reply);
    if (result != REDIS_DONE) {
        return result;
    }
    text = redis_reply_text(reply, &len);
    if (text == NULL || len >= SCHEMA_BORN_SIZE) {
        return REDIS_REFUSED;
    }
    memcpy(born, text, len + 1);
    return REDIS_DONE;
}

static void
log_change(void *context, enum redis_state state, const char *reason)
{
    (void)context;
    switch (state) {
    case REDIS_STATE_UP:
        log_info("redis: %s", reason);
        break;
    case REDIS_STATE_CONNECTING:
    case REDIS_STATE_DOWN:
        log_warn("redis: %s", reason);
        break;
    case REDIS_STATE_UNUSABLE:
        log_error("redis: %s", reason);
        break;
    }
}

struct schema *
schema_open(const struct options *options, const char *program)
{
    struct schema *schema = calloc(1, sizeof(*schema));
    struct redis_options redis_options = {
        .url = options->redis.url,
        .client_name = program,
        .timeout_ms = options->redis.timeout_ms,
        .greeting = {.script = &script_schema, .ask = ask, .judge = judge},
        .on_change = log_change,
    };

    if (schema == NULL) {
        return NULL;
    }
    schema->options = options;
    redis_options.greeting.context = schema;
    schema->redis = redis_open(&redis_options);
    if (schema->redis == NULL) {
        free(schema);
        return NULL;
    }
    return schema;
}

void
schema_close(struct schema *schema)
{
    if (schema == NULL) {
        return;
    }
    redis_close(schema->redis);
    free(schema);
}

struct redis *
schema_redis(struct schema *schema)
{
    return schema->redis;
}
