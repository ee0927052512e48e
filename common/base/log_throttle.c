/*
 * log_throttle: if an operation is tried every second and fails, its failure is
 * not logged every second.
 */
#include "log_throttle.h"

#include <inttypes.h>

#include "clock.h"
#include "log.h"

enum { MINUTE_MS = 60 * 1000 };

/* Whether one more beginning may be logged in this minute; counts it. */
static bool
may_begin(struct log_throttle *trouble, int64_t now_ms)
{
    if (trouble->beginnings == 0 || now_ms - trouble->period_ms >= MINUTE_MS) {
        trouble->period_ms = now_ms;
        trouble->beginnings = 0;
    }
    if (trouble->beginnings == TROUBLE_BEGINNINGS) {
        return false;
    }
    trouble->beginnings++;
    return true;
}

bool
log_throttle_due(struct log_throttle *trouble)
{
    int64_t now_ms = clock_mono_ms();
    bool due;

    if (!trouble->on) {
        trouble->on = true;
        trouble->since_ms = now_ms;
    }
    due = trouble->told ? now_ms - trouble->said_ms >= MINUTE_MS
                        : may_begin(trouble, now_ms);
    if (due) {
        trouble->told = true;
        trouble->said_ms = now_ms;
    }
    return due;
}

bool
log_throttle_end(struct log_throttle *trouble)
{
    bool told = trouble->told;

    trouble->on = false;
    trouble->told = false;
    return told;
}

void
log_throttle_note(struct log_throttle *trouble, const char *who,
                  const char *why)
{
    if (log_throttle_due(trouble)) {
        log_error("%s: %s; trying again", who, why);
    }
}

void
log_throttle_over(struct log_throttle *trouble, const char *who)
{
    if (log_throttle_end(trouble)) {
        log_info("%s: works again, after %" PRId64 " s", who,
                 (clock_mono_ms() - trouble->since_ms) / 1000);
    }
}
