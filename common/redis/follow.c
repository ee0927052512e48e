/*
 * follow: an old master goes on to say OK to what is going to be lost, and one
 * that hangs would cost a time limit each. Both are left once a sentinel names
 * another master.
 */
#include "follow.h"

#include <stdio.h>
#include <string.h>

#include "connection.h"

/* Says once that no sentinel answers, while the connection is up. */
static void
warn_of_sentinels(struct redis *redis)
{
    char text[sizeof(redis->sentinel->tried) + 96];
    struct redis_change change = {.state = REDIS_STATE_UP, .warning = text};
    bool away = redis->sentinel->state == SENTINEL_FAILED;

    if (away && !redis->unwatched && redis->options.on_change != NULL) {
        snprintf(text, sizeof(text),
                 "no sentinel names the master, so that a failover would not "
                 "be noticed: %s",
                 redis->sentinel->tried);
        redis->options.on_change(redis->options.on_change_context, &change);
    }
    redis->unwatched = away;
}

/* Leaves the server that the connection leads to, or was going to lead to. */
static void
leave(struct redis *redis, const char *master)
{
    char why[sizeof(redis->sentinel->host) + 64];

    if (redis->phase == CONNECTION_READY) {
        snprintf(why, sizeof(why), "the sentinels name another master, %s",
                 master);
        connection_reconnect(redis, why);
    } else {
        link_close(&redis->link);
        connection_start(redis);
    }
}

bool
follow_step(struct redis *redis)
{
    const struct sentinel *sentinel = redis->sentinel;
    char master[sizeof(sentinel->host) + sizeof(sentinel->port) + 1];

    sentinel_step(redis->sentinel);
    if (redis->phase == CONNECTION_READY) {
        warn_of_sentinels(redis);
    }
    snprintf(master, sizeof(master), "%s:%s", sentinel->host, sentinel->port);
    if (redis->phase == CONNECTION_ASKING ||
        sentinel->state != SENTINEL_NAMED ||
        (redis->link.name != NULL && strcmp(master, redis->link.name) == 0)) {
        return true;
    }
    leave(redis, master);
    return false;
}
