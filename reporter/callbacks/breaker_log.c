/*
 * breaker_log: a failed probe that opens a breaker again is no line of its own.
 * A host that is down for a day would fill the log.
 */
#include "breaker_log.h"

#include "base/log.h"

void
breaker_log_sum_up(struct breaker_log *log, int64_t now_ms)
{
    if (now_ms < log->until_ms) {
        return;
    }
    if (log->unlogged > 0) {
        log_event(LEVEL_WARN, "more circuit breakers have opened or closed",
                  LOG_FIELDS(LOG_NUMBER("count", log->unlogged)));
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
        log_event(LEVEL_WARN, "the circuit breaker opens",
                  LOG_FIELDS(LOG_TEXT("destination", change->origin),
                             LOG_NUMBER("open_s", change->open_ms / 1000),
                             LOG_TEXT("error", change->error),
                             LOG_NUMBER("waiting", change->waiting)));
    } else {
        log_event(LEVEL_INFO, "the circuit breaker closes",
                  LOG_FIELDS(LOG_TEXT("destination", change->origin)));
    }
}
