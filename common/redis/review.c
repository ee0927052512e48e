/*
 * review: shares the timer of the connection, which it needs for nothing else
 * while it is up.
 */
#include "review.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "base/clock.h"
#include "connection.h"

enum { HASTEN_MS = 1000 }; /* the shortest time between two reviews */

void
review_plan(struct redis *redis)
{
    connection_set_due(redis, redis->options.review_ms);
}

/* Sends the questions. They are so short that the socket takes them at once. */
static void
start(struct redis *redis)
{
    redis->reviewing = true;
    redis->unsure = false;
    redis->reviewed_ms = clock_mono_ms();
    connection_set_due(redis, redis->options.timeout_ms);
    handshake_send_review(&redis->handshake, redis->link.context);
    if (!link_write(&redis->link)) {
        connection_reconnect(redis, link_why(&redis->link));
    }
}

void
review_step_due(struct redis *redis)
{
    if (redis->reviewing) {
        connection_give_up(redis, "no answer in time");
    } else {
        start(redis);
    }
}

void
review_hasten(struct redis *redis)
{
    int64_t now_ms = clock_mono_ms();
    int64_t due_ms = redis->reviewed_ms + HASTEN_MS;

    if (redis->phase == CONNECTION_READY && !redis->reviewing &&
        due_ms < redis->due_ms) {
        connection_set_due(redis, due_ms > now_ms ? due_ms - now_ms : 1);
    }
}

/* All is well. A warning is passed on only if it is another than before. */
static void
finish(struct redis *redis, const char *before)
{
    struct redis_change change = {.state = REDIS_STATE_UP};

    redis->reviewing = false;
    review_plan(redis);
    if (redis->unsure) {
        return;
    }
    change.warning = handshake_warning(&redis->handshake);
    if (change.warning != NULL && strcmp(change.warning, before) != 0 &&
        redis->options.on_change != NULL) {
        redis->options.on_change(redis->options.on_change_context, &change);
    }
}

bool
review_step(struct redis *redis)
{
    const char *why = redis->handshake.why;
    char warning[sizeof(redis->handshake.warning)];
    enum handshake_result result;

    memcpy(warning, redis->handshake.warning, sizeof(warning));
    /* An error that ends by itself, such as BUSY, says nothing new. */
    while ((result = handshake_receive(
                &redis->handshake, redis->link.context)) == HANDSHAKE_RETRY) {
        redis->unsure = true;
    }
    switch (result) {
    case HANDSHAKE_PENDING:
    case HANDSHAKE_RETRY:
        break;
    case HANDSHAKE_DONE:
        finish(redis, warning);
        break;
    case HANDSHAKE_BROKEN:
        connection_reconnect(redis, why);
        break;
    case HANDSHAKE_UNUSABLE:
        connection_set_error(redis, "cannot be used any more", why);
        connection_pause(redis, REDIS_STATE_UNUSABLE);
        break;
    }
    return redis->phase == CONNECTION_READY;
}
