/*
 * log_throttle: if an operation is tried every second and fails, its failure is
 * not logged every second.
 */
#include "log_throttle.h"

#include <inttypes.h>

#include "clock.h"
#include "log.h"

enum { MINUTE_MS = 60 * 1000 };

/* Of all but the digits: FNV-1a, 64 bits (draft-eastlake-fnv). */
static uint64_t
hash_reason(const char *why)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (; *why != '\0'; why++) {
        if (*why < '0' || *why > '9') {
            hash = (hash ^ (unsigned char)*why) * 0x100000001b3;
        }
    }
    return hash;
}

/*
 * Whether one more beginning, or new reason, may be logged in this minute;
 * counts it.
 */
static bool
may_begin(struct log_throttle *throttle, int64_t now_ms)
{
    if (throttle->beginnings == 0 ||
        now_ms - throttle->period_ms >= MINUTE_MS) {
        throttle->period_ms = now_ms;
        throttle->beginnings = 0;
    }
    if (throttle->beginnings == LOG_THROTTLE_BEGINNINGS) {
        return false;
    }
    throttle->beginnings++;
    return true;
}

/* What is logged already is logged again after a minute, or for a new reason.
 */
static bool
is_due(struct log_throttle *throttle, uint64_t reason, int64_t now_ms)
{
    if (throttle->logged && now_ms - throttle->logged_ms >= MINUTE_MS) {
        return true;
    }
    return (!throttle->logged || reason != throttle->reason) &&
           may_begin(throttle, now_ms);
}

bool
log_throttle_due(struct log_throttle *throttle, const char *why)
{
    int64_t now_ms = clock_mono_ms();
    uint64_t reason = hash_reason(why);
    bool due;

    if (!throttle->on) {
        throttle->on = true;
        throttle->since_ms = now_ms;
    }
    due = is_due(throttle, reason, now_ms);
    if (due) {
        throttle->logged = true;
        throttle->logged_ms = now_ms;
        throttle->reason = reason;
    }
    return due;
}

bool
log_throttle_end(struct log_throttle *throttle)
{
    bool logged = throttle->logged;

    throttle->on = false;
    throttle->logged = false;
    return logged;
}

void
log_throttle_note(struct log_throttle *throttle, const char *who,
                  const char *why)
{
    if (log_throttle_due(throttle, why)) {
        log_error("%s: %s; trying again", who, why);
    }
}

void
log_throttle_over(struct log_throttle *throttle, const char *who)
{
    if (log_throttle_end(throttle)) {
        log_info("%s: works again, after %" PRId64 " s", who,
                 (clock_mono_ms() - throttle->since_ms) / 1000);
    }
}
