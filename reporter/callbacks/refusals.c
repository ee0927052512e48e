/*
 * refusals: logs a fixed number of lines in each period, and counts the rest.
 */
#include "refusals.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"

void
refusals_say(struct refusals *refusals, const char *job, const char *host,
             const char *why)
{
    int64_t now_ms = clock_mono_ms();

    refusals_sum_up(refusals);
    if (now_ms >= refusals->until_ms) {
        refusals->until_ms = now_ms + REFUSALS_PERIOD_MS;
        refusals->said = 0;
    }
    if (refusals->said < REFUSALS_SAID_MAX) {
        refusals->said++;
        log_warn("callback %s to %s refused: %s", job, host, why);
    } else {
        refusals->unsaid++;
    }
}

void
refusals_sum_up(struct refusals *refusals)
{
    if (refusals->unsaid > 0 && clock_mono_ms() >= refusals->until_ms) {
        log_warn("%" PRId64 " more callbacks refused; the callback log has "
                 "them",
                 refusals->unsaid);
        refusals->unsaid = 0;
    }
}
