/*
 * pool_presence: what a responder says of its pool comes from the file that the
 * pool shares.
 */
#include "pool_presence.h"

#include <jansson.h>
#include <stdlib.h>

struct pool_presence {
    struct presence *presence;
    struct pool_stats *stats;
};

struct pool_presence *
pool_presence_open(const struct options *options, struct redis *redis,
                   struct pool_stats *stats)
{
    struct pool_presence *presence = calloc(1, sizeof(*presence));

    if (presence == NULL) {
        return NULL;
    }
    presence->stats = stats;
    presence->presence =
        presence_open(options, redis, PRESENCE_WEB, options->stats.path);
    if (presence->presence == NULL) {
        pool_presence_close(presence);
        return NULL;
    }
    return presence;
}

void
pool_presence_close(struct pool_presence *presence)
{
    if (presence != NULL) {
        presence_close(presence->presence);
        free(presence);
    }
}

int64_t
pool_presence_wait_ms(const struct pool_presence *presence)
{
    return presence_wait_ms(presence->presence);
}

void
pool_presence_step(struct pool_presence *presence)
{
    struct pool_stats_pool pool;

    if (presence_wait_ms(presence->presence) != 0) {
        return;
    }
    pool = pool_stats_pool(presence->stats);
    presence_write(presence->presence,
                   json_pack("{s:I, s:I}", "started",
                             (json_int_t)pool.started_s, "responders",
                             (json_int_t)pool.responders));
    pool_stats_set_reporters(presence->stats,
                             pool_presence_heard(presence).reporters);
}

void
pool_presence_sign_off(struct pool_presence *presence)
{
    if (pool_stats_leave(presence->stats)) {
        presence_leave(presence->presence);
    }
}

struct presence_heard
pool_presence_heard(const struct pool_presence *presence)
{
    return presence_heard(presence->presence);
}
