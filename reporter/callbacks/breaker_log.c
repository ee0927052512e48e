/*
 * breaker_log: a failed probe that opens a breaker again is no line of its own.
 * A host that is down for a day would fill the log.
 */
#include "breaker_log.h"

#include <inttypes.h>

#include "base/log.h"

void
breaker_log_sum_up(struct breaker_log *log, int64_t now_ms)
{
    if (now_ms < log->until_ms) {
        return;
    }
    if (log->unlogged > 0) {
        log_warn("circuit breakers: %" PRId64 " more have opened or closed",
                 log->unlogged);
    }
    log->unlogged = 0;
    log->lines = 0;
}

void
breaker_log_note(struct breaker_log *log, const struct breaker_change *change,
                 int64_t now_ms)
{
    if (change->was_open == change->is_open) {
        return;
    }
    breaker_log_sum_up(log, now_ms);
    if (log->lines == 0) {
        log->until_ms = now_ms + BREAKER_LOG_PERIOD_MS;
    }
    if (log->lines == BREAKER_LOG_LINES) {
        log->unlogged++;
        return;
    }
    log->lines++;
    if (change->is_open) {
        log_warn("callbacks to %s: the circuit breaker opens for %" PRId64
                 " s; the last error: %s; %" PRId64 " callbacks wait",
                 change->origin, change->open_ms / 1000, change->error,
                 change->waiting);
    } else {
        log_info("callbacks to %s: the circuit breaker closes", change->origin);
    }
}
