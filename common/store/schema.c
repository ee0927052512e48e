/*
 * schema: the call of schema.lua, as part of the handshake and by itself.
 */
#include "schema.h"

#include <string.h>

#include "keys.h"
#include "rights.h"
#include "schema.lua.h"
#include "shard.h"

enum { SCHEMA_VERSION = 2, REVIEW_MS = 60 * 1000 };

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
add_text(struct command *call, const char *text)
{
    redis_arg(call, text, strlen(text));
}

static void
add_number(struct command *call, const char *field, int64_t value)
{
    add_text(call, field);
    redis_arg_int(call, value);
}

static void
add_schema(struct command *call, const struct options *options)
{
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag};

    keys_add(call, KEY_META, &parts);
    keys_add(call, KEY_BORN, &parts);
    keys_add(call, KEY_RUN, &parts);
    keys_add(call, KEY_MARKS, &parts);
    keys_add(call, KEY_UNCONFIRMED, &parts);
    add_number(call, "version", SCHEMA_VERSION);
    add_number(call, "window_seconds", options->window.seconds);
    add_number(call, "shards", options->redis.shards);
    add_text(call, "strategy");
    add_text(call, schema_strategy(options));
    if (options->redis.shards > 1) {
        /* So that a tag that was moved by hand is noticed. */
        add_number(call, "shard", options->redis.shard);
    }
}

static void
add_args(void *context, struct command *call)
{
    add_schema(call, context);
}

void
schema_call(const struct options *options, struct redis *redis)
{
    add_schema(redis_call(redis, &script_schema), options);
}

bool
schema_read(const struct redis_reply *reply, char born[SCHEMA_BORN_SIZE])
{
    size_t len;
    const char *text = redis_reply_text(reply, &len);

    if (text == NULL || len >= SCHEMA_BORN_SIZE) {
        return false;
    }
    memcpy(born, text, len + 1);
    return true;
}

enum redis_result
schema_agree(const struct options *options, struct redis *redis,
             char born[SCHEMA_BORN_SIZE])
{
    const struct redis_reply *reply;
    enum redis_result result;

    schema_call(options, redis);
    result = redis_run(redis, &reply);
    return result != REDIS_DONE || schema_read(reply, born) ? result
                                                            : REDIS_REFUSED;
}

struct redis_options
schema_keyed_options(const struct options *options, const char *program,
                     struct redis_log *log, int slot)
{
    return (struct redis_options){
        .url = options->redis.url,
        .password = options->redis.password,
        .sentinel_user = options->redis.sentinel_user,
        .sentinel_password = options->redis.sentinel_password,
        .tls = {.ca = options->redis.ca_file,
                .cert = options->redis.client_cert,
                .key = options->redis.client_key},
        .slot = slot,
        .client_name = program,
        .timeout_ms = options->redis.timeout_ms,
        .rights = rights_check(options),
        .review_ms = REVIEW_MS,
        .trust_noeviction = options->redis.trust_noeviction,
        .on_change = redis_log_change,
        .on_change_context = log,
    };
}

struct redis_options
schema_redis_options(const struct options *options, const char *program,
                     struct redis_log *log)
{
    struct redis_options made = schema_keyed_options(
        options, program, log, shard_slot(options->redis.tag));

    made.check = (struct redis_check){.script = &script_schema,
                                      .add_args = add_args,
                                      .context = (void *)options};
    return made;
}
