/*
 * trouble: keeps what is tried every second from being logged every second.
 */
#include "log_throttle.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"

enum { REMIND_MS = 60 * 1000 };

bool
log_throttle_due(struct log_throttle *trouble)
{
    int64_t now_ms = clock_mono_ms();

    if (trouble->on && now_ms - trouble->said_ms < REMIND_MS) {
        return false;
    }
    if (!trouble->on) {
        trouble->on = true;
        trouble->since_ms = now_ms;
    }
    trouble->said_ms = now_ms;
    return true;
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
    if (!trouble->on) {
        return;
    }
    trouble->on = false;
    log_info("%s: works again, after %" PRId64 " s", who,
             (clock_mono_ms() - trouble->since_ms) / 1000);
}
