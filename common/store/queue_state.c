/*
 * queue_state: the number of jobs is that of the hash `queue`, which has those
 * of `due`, too.
 */
#include "queue_state.h"

#include "keys.h"
#include "queue-look.lua.h"

enum { DESTINATIONS = 1000 }; /* of each kind: about 2 ms of Redis */

int
queue_state_read(const struct options *options, struct redis *redis,
                 struct queue_state *state)
{
    struct key_parts parts = {
        .prefix = options->redis.prefix, .tag = options->redis.tag, .hash = ""};
    struct key_stem stem = keys_stem(KEY_CALLBACKS_OF, &parts);
    struct command *call = redis_call(redis, &script_queue_look);
    const struct redis_reply *reply;

    keys_add(call, KEY_QUEUE, &parts);
    keys_add(call, KEY_CALLBACKS, &parts);
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_DEAD, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    redis_arg(call, stem.text, stem.len);
    redis_arg_int(call, DESTINATIONS);
    if (redis_run(redis, &reply) != REDIS_DONE) {
        return -1;
    }
    return redis_reply_int(redis_reply_at(reply, 0), &state->waiting) &&
                   redis_reply_int(redis_reply_at(reply, 1), &state->due) &&
                   redis_reply_int(redis_reply_at(reply, 2), &state->dead) &&
                   redis_reply_int(redis_reply_at(reply, 3), &state->oldest_ms)
               ? 0
               : -1;
}
