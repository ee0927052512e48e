/*
 * follow: an old master goes on to say OK to what is going to be lost, and one
 * that hangs would cost a time limit each. Both are left once the guide names
 * another master.
 */
#include "follow.h"

#include <stdio.h>
#include <string.h>

#include "connection.h"

/* Says once that no server names the master, while the connection is up. */
static void
warn_of_guide(struct redis *redis)
{
    const struct guide *guide = redis->guide;
    char text[sizeof(guide->tried) + sizeof(guide->target) + 96];
    struct redis_change change = {.state = REDIS_STATE_UP, .warning = text};
    bool away = guide->state == GUIDE_FAILED;

    if (away && !redis->unwatched && redis->options.on_change != NULL) {
        snprintf(text, sizeof(text),
                 "no %s names %s%s, so that a failover would not be noticed: "
                 "%s",
                 guide->options.dialect->server, guide->options.dialect->whose,
                 guide->target, guide->tried);
        redis->options.on_change(redis->options.on_change_context, &change);
    }
    redis->unwatched = away;
}

/* Leaves the server that the connection leads to, or was going to lead to. */
static void
leave(struct redis *redis, const char *master)
{
    char why[sizeof(struct server_address) + 64];

    if (redis->phase == CONNECTION_READY) {
        snprintf(why, sizeof(why), "the %ss name another master, %s",
                 redis->guide->options.dialect->server, master);
        connection_reconnect(redis, why);
    } else {
        link_close(&redis->link);
        connection_start(redis);
    }
}

bool
follow_step(struct redis *redis)
{
    const struct guide *guide = redis->guide;
    char master[sizeof(guide->master) + 1];

    guide_step(redis->guide);
    if (redis->phase == CONNECTION_READY) {
        warn_of_guide(redis);
    }
    snprintf(master, sizeof(master), "%s:%s", guide->master.host,
             guide->master.port);
    if (redis->phase == CONNECTION_ASKING || guide->state != GUIDE_NAMED ||
        (redis->link.name != NULL && strcmp(master, redis->link.name) == 0)) {
        return true;
    }
    leave(redis, master);
    return false;
}
