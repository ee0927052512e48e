/*
 * redis_log: one throttle for each state that can last.
 */
#include "redis_log.h"

#include "base/log.h"

/* Logs a new connection, unless connections break again and again. */
static void
log_connected(struct redis_log *log, const struct redis_change *change)
{
    bool lost = log_throttle_end(&log->lost);
    bool away = log_throttle_end(&log->away);
    bool unusable = log_throttle_end(&log->unusable);

    if (change->reason != NULL && log->connected && !lost && !away &&
        !unusable) {
        return;
    }
    log->connected = true;
    if (change->reason != NULL) {
        log_info("redis: %s", change->reason);
    }
    if (change->warning != NULL) {
        log_warn("redis: %s", change->warning);
    }
}

void
redis_log_change(void *context, const struct redis_change *change)
{
    struct redis_log *log = context;

    switch (change->state) {
    case REDIS_STATE_UP:
        log_connected(log, change);
        break;
    case REDIS_STATE_CONNECTING:
        if (log_throttle_due(&log->lost, change->reason)) {
            log_warn("redis: %s", change->reason);
        }
        break;
    case REDIS_STATE_DOWN:
        if (log_throttle_due(&log->away, change->reason)) {
            log_warn("redis: %s", change->reason);
        }
        break;
    case REDIS_STATE_UNUSABLE:
        if (log_throttle_due(&log->unusable, change->reason)) {
            log_error("redis: %s", change->reason);
        }
        break;
    }
}
