/*
 * window_shard: keys and arguments in the order of the scripts.
 */
#include "window_shard.h"

#include <string.h>

#include "base/clock.h"
#include "keys.h"
#include "marks-settle.lua.h"
#include "window-look.lua.h"
#include "window-recorded.lua.h"
#include "window-seal-told.lua.h"
#include "window-seal.lua.h"

enum { COUNTS_AT = 2 }; /* the first count in window-seal.lua's reply */

static struct key_parts
parts_of(const struct window_shard *shard)
{
    return (struct key_parts){.prefix = shard->options->redis.prefix,
                              .tag = shard->options->redis.tag,
                              .strategy = schema_strategy(shard->options)};
}

static void
add_keys(const struct window_shard *shard, struct command *call,
         const enum key *keys, size_t count)
{
    struct key_parts parts = parts_of(shard);

    for (size_t i = 0; i < count; i++) {
        keys_add(call, keys[i], &parts);
    }
}

/* The arguments of window.lua. */
static void
add_args(struct window_shard *shard, struct command *call)
{
    redis_arg_int(call, shard->options->window.seconds);
    redis_arg(call, shard->born, strlen(shard->born));
}

/* The end of a run. False: Redis is away or refuses. */
static bool
finish(struct window_shard *shard, const struct redis_reply **reply)
{
    return redis_finish(shard->redis, shard->sent, reply) == REDIS_DONE;
}

void
window_shard_send_look(struct window_shard *shard)
{
    static const enum key keys[] = {KEY_SEALED, KEY_BORN, KEY_LOST,
                                    KEY_RECORDED};
    struct command *call = redis_call(shard->redis, &script_window_look);

    add_keys(shard, call, keys, sizeof(keys) / sizeof(keys[0]));
    add_args(shard, call);
    shard->sent = redis_send(shard->redis);
}

enum window_shard_looked
window_shard_finish_look(struct window_shard *shard, int64_t sent_ms)
{
    const struct redis_reply *reply;
    int64_t came_ms;

    if (!finish(shard, &reply)) {
        return WINDOW_SHARD_FAILED;
    }
    if (redis_reply_count(reply) == 0) {
        return WINDOW_SHARD_RESET;
    }
    if (!redis_reply_int(redis_reply_at(reply, 0), &shard->now_ms) ||
        !redis_reply_int(redis_reply_at(reply, 1), &shard->on_s) ||
        !redis_reply_int(redis_reply_at(reply, 2), &shard->lost_s) ||
        !redis_reply_int(redis_reply_at(reply, 3), &shard->recorded_s)) {
        return WINDOW_SHARD_FAILED;
    }
    came_ms = clock_wall_ms();
    shard->skew_us = shard->now_ms * 1000 - (sent_ms + came_ms) * 500;
    shard->trip_us = (came_ms - sent_ms) * 1000;
    return WINDOW_SHARD_SEEN;
}

bool
window_shard_agree(struct window_shard *shard)
{
    return schema_agree(shard->options, shard->redis, shard->born) ==
           REDIS_DONE;
}

void
window_shard_send_settle(struct window_shard *shard,
                         const struct window_settlement *settlement)
{
    static const enum key keys[] = {KEY_BORN,        KEY_LOST,     KEY_MARKS,
                                    KEY_UNCONFIRMED, KEY_RECORDED, KEY_RUN,
                                    KEY_SEALED};
    struct command *call = redis_call(shard->redis, &script_marks_settle);
    const char *synced = redis_syncs_always(shard->redis) ? "always" : "";

    add_keys(shard, call, keys, sizeof(keys) / sizeof(keys[0]));
    redis_arg(call, shard->born, strlen(shard->born));
    redis_arg_int(call, shard->options->window.seconds);
    redis_arg_int(call, settlement->first_s);
    redis_arg_int(call, settlement->lost_from_s);
    redis_arg_int(call, settlement->lost_to_s);
    redis_arg_int(call, settlement->confirmed);
    redis_arg(call, synced, strlen(synced));
    redis_arg_int(call, settlement->newest_s);
    redis_arg_int(call, settlement->behind_s);
    shard->sent = redis_send(shard->redis);
}

bool
window_shard_finish_settle(struct window_shard *shard, int64_t *late)
{
    const struct redis_reply *reply;

    if (!finish(shard, &reply)) {
        return false;
    }
    redis_reply_int(redis_reply_at(reply, 0), late);
    return true;
}

void
window_shard_send_seal(struct window_shard *shard, int64_t first_s,
                       size_t count, int64_t on_s)
{
    static const enum key keys[] = {KEY_SEALED, KEY_BORN, KEY_OPEN, KEY_LOST,
                                    KEY_RECORDED};
    struct key_parts parts = parts_of(shard);
    bool told = shard->options->redis.shard > 0;
    struct command *call = redis_call(
        shard->redis, told ? &script_window_seal_told : &script_window_seal);

    add_keys(shard, call, keys, sizeof(keys) / sizeof(keys[0]));
    for (size_t i = 0; i < count; i++) {
        parts.window_s = first_s + (int64_t)i * shard->options->window.seconds;
        keys_add(call, KEY_COUNT, &parts);
        keys_add(call, KEY_WHOLE, &parts);
        keys_add(call, KEY_SETS, &parts);
        keys_add(call, KEY_SEEN_SET, &parts); /* without the set's number */
    }
    add_args(shard, call);
    redis_arg_int(call, first_s);
    if (told) {
        redis_arg_int(call, on_s);
    }
    shard->sent = redis_send(shard->redis);
}

bool
window_shard_finish_seal(struct window_shard *shard,
                         const struct redis_reply **reply)
{
    return finish(shard, reply);
}

size_t
window_shard_count(const struct redis_reply *reply)
{
    size_t count = redis_reply_count(reply);

    return count < COUNTS_AT ? 0 : count - COUNTS_AT;
}

bool
window_shard_sealed(const struct redis_reply *reply, int64_t *now_ms,
                    int64_t *on_s)
{
    return redis_reply_int(redis_reply_at(reply, 0), now_ms) &&
           redis_reply_int(redis_reply_at(reply, 1), on_s);
}

bool
window_shard_count_at(const struct redis_reply *reply, size_t i, int64_t *count)
{
    return redis_reply_int(redis_reply_at(reply, COUNTS_AT + i), count);
}

void
window_shard_send_recorded(struct window_shard *shard,
                           const struct window_record *records, size_t count)
{
    static const enum key keys[] = {KEY_RECORDED, KEY_LOST};
    struct command *call = redis_call(shard->redis, &script_window_recorded);

    add_keys(shard, call, keys, sizeof(keys) / sizeof(keys[0]));
    redis_arg_int(call, records[count - 1].start_s);
    for (size_t i = 0; i < count; i++) {
        if (records[i].gap) {
            redis_arg_int(call, records[i].start_s);
        }
    }
    shard->sent = redis_send(shard->redis);
    shard->recorded_s = records[count - 1].start_s;
}

bool
window_shard_finish(struct window_shard *shard)
{
    const struct redis_reply *reply;

    return finish(shard, &reply);
}
