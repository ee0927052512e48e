/*
 * refusals: logs a fixed number of lines in each period, and counts the rest.
 */
#include "refusals.h"

#include "base/clock.h"
#include "base/log.h"

void
refusals_log(struct refusals *refusals, const char *job, const char *host,
             const char *why)
{
    int64_t now_ms = clock_mono_ms();

    refusals_sum_up(refusals);
    if (now_ms >= refusals->until_ms) {
        refusals->until_ms = now_ms + REFUSALS_PERIOD_MS;
        refusals->logged = 0;
    }
    if (refusals->logged < REFUSALS_LOGGED_MAX) {
        refusals->logged++;
        log_event(LEVEL_WARN, "callback refused",
                  LOG_FIELDS(LOG_TEXT("job", job), LOG_TEXT("host", host),
                             LOG_TEXT("reason", why)));
    } else {
        refusals->unlogged++;
    }
}

void
refusals_sum_up(struct refusals *refusals)
{
    if (refusals->unlogged > 0 && clock_mono_ms() >= refusals->until_ms) {
        log_event(LEVEL_WARN,
                  "more callbacks refused; the callback log has them",
                  LOG_FIELDS(LOG_NUMBER("count", refusals->unlogged)));
        refusals->unlogged = 0;
    }
}
