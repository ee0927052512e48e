/*
 * pool_presence: what a responder says of its pool comes from the file that the
 * pool shares.
 */
#include "pool_presence.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/log_throttle.h"
#include "base/util.h"

enum { ALONE_MS = 30000 }; /* a restart of a reporter is over by then */

struct pool_presence {
    struct presence *presence;
    struct pool_stats *stats;
    int64_t heard_ms;          /* at_ms of what alone is about */
    int64_t alone_ms;          /* monotonic: since when no reporter lives; 0:
                                  one does, or nothing is known */
    struct log_throttle alone; /* for ALONE_MS or longer */
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

/*
 * Logs that no reporter has lived for ALONE_MS, and the end of that. One that
 * has ended in order is forgotten, so Redis does not always know since when.
 */
static void
note_reporters(struct pool_presence *presence)
{
    struct presence_heard heard = presence_heard(presence->presence);
    int64_t alone_ms;

    if (heard.at_ms == presence->heard_ms) {
        return; /* Redis has not replied */
    }
    presence->heard_ms = heard.at_ms;
    if (heard.reporters > 0) {
        if (log_throttle_end(&presence->alone)) {
            log_info("a reporter runs again");
        }
        presence->alone_ms = 0;
        return;
    }
    if (presence->alone_ms == 0) {
        presence->alone_ms = heard.at_ms - int64_max(heard.silent_ms, 0);
    }
    alone_ms = heard.at_ms - presence->alone_ms;
    if (alone_ms >= ALONE_MS && log_throttle_due(&presence->alone, "")) {
        log_event(LEVEL_ERROR,
                  "no reporter runs: no window is reported and no callback is "
                  "made",
                  LOG_FIELDS(LOG_NUMBER("since_s", alone_ms / 1000)));
    }
}

bool
pool_presence_start(struct pool_presence *presence)
{
    struct pool_stats_pool pool = pool_stats_pool(presence->stats);

    return presence_start(presence->presence,
                          json_pack("{s:I, s:I}", "started",
                                    (json_int_t)pool.started_s, "responders",
                                    (json_int_t)pool.responders));
}

bool
pool_presence_step(struct pool_presence *presence)
{
    if (presence_step(presence->presence)) {
        return true;
    }
    pool_stats_set_reporters(presence->stats,
                             presence_heard(presence->presence).reporters);
    note_reporters(presence);
    return false;
}

void
pool_presence_sign_off(struct pool_presence *presence)
{
    if (pool_stats_leave(presence->stats)) {
        presence_leave(presence->presence);
    }
}
