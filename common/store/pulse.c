/*
 * pulse: the words of one script.
 */
#include "pulse.h"

#include "keys.h"
#include "pulse.lua.h"

void
pulse_call(const struct options *options, struct redis *redis, int64_t window_s)
{
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag,
                              .window_s = window_s};
    struct command *call = redis_call(redis, &script_pulse);

    keys_add(call, KEY_SEALED, &parts);
    keys_add(call, KEY_COUNT, &parts);
    redis_arg_int(call, options->window.seconds);
}

bool
pulse_read(const struct redis_reply *reply, struct pulse *pulse)
{
    return redis_reply_int(redis_reply_at(reply, 0), &pulse->window_s) &&
           redis_reply_int(redis_reply_at(reply, 1), &pulse->left_ms) &&
           redis_reply_int(redis_reply_at(reply, 2), &pulse->count);
}
