/*
 * redis_reply: what Redis answered, read without trust in its shape. A struct
 * redis_reply is hiredis's redisReply under a name of ours.
 */
#include <hiredis/hiredis.h>

#include "base/decimal.h"
#include "redis.h"

static const redisReply *
of(const struct redis_reply *reply)
{
    return (const redisReply *)reply;
}

static bool
is_text(const redisReply *reply)
{
    return reply != NULL && (reply->type == REDIS_REPLY_STRING ||
                             reply->type == REDIS_REPLY_STATUS);
}

size_t
redis_reply_count(const struct redis_reply *reply)
{
    return reply != NULL && of(reply)->type == REDIS_REPLY_ARRAY
               ? of(reply)->elements
               : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *reply, size_t i)
{
    if (i >= redis_reply_count(reply)) {
        return NULL;
    }
    return (const struct redis_reply *)of(reply)->element[i];
}

bool
redis_reply_int(const struct redis_reply *reply, int64_t *value)
{
    const redisReply *raw = of(reply);

    if (raw != NULL && raw->type == REDIS_REPLY_INTEGER) {
        *value = raw->integer;
        return true;
    }
    return is_text(raw) && decimal_parse(raw->str, raw->len, value);
}

const char *
redis_reply_text(const struct redis_reply *reply, size_t *len)
{
    const redisReply *raw = of(reply);

    if (!is_text(raw)) {
        return NULL;
    }
    *len = raw->len;
    return raw->str;
}
