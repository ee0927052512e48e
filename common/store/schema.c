/*
 * schema: the agreement between all programs on one Redis, and the connection
 * that is made with it.
 */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_throttle.h"
#include "schema.lua.h"

enum { SCHEMA_VERSION = 2 };

struct schema {
    const struct options *options;
    struct redis *redis;
    bool connected; /* at least once, which the log has */
    struct log_throttle lost;
    struct log_throttle away;
    struct log_throttle unusable;
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

/* A connection that was made, unless it breaks time and again. */
static void
log_connected(struct schema *schema, const struct redis_change *change)
{
    bool lost = log_throttle_end(&schema->lost);
    bool away = log_throttle_end(&schema->away);
    bool unusable = log_throttle_end(&schema->unusable);

    if (schema->connected && !lost && !away && !unusable) {
        return;
    }
    schema->connected = true;
    log_info("redis: %s", change->reason);
    if (change->warning != NULL) {
        log_warn("redis: %s", change->warning);
    }
}

static void
log_change(void *context, const struct redis_change *change)
{
    struct schema *schema = context;

    switch (change->state) {
    case REDIS_STATE_UP:
        log_connected(schema, change);
        break;
    case REDIS_STATE_CONNECTING:
        if (log_throttle_due(&schema->lost)) {
            log_warn("redis: %s", change->reason);
        }
        break;
    case REDIS_STATE_DOWN:
        if (log_throttle_due(&schema->away)) {
            log_warn("redis: %s", change->reason);
        }
        break;
    case REDIS_STATE_UNUSABLE:
        if (log_throttle_due(&schema->unusable)) {
            log_error("redis: %s", change->reason);
        }
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
        .check = {.script = &script_schema, .add_args = ask},
        .trust_noeviction = options->redis.trust_noeviction,
        .on_change = log_change,
    };

    if (schema == NULL) {
        return NULL;
    }
    schema->options = options;
    redis_options.check.context = schema;
    redis_options.on_change_context = schema;
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
