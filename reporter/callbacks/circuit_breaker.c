/*
 * circuit_breaker: if an attempt ends while the breaker is not closed, its
 * result counts only if it is the probe. Other attempts started before the
 * breaker opened and show nothing new.
 */
#include "circuit_breaker.h"

#include <string.h>

enum circuit_breaker_state
circuit_breaker_state(const struct circuit_breaker *breaker, int64_t now_ms)
{
    if (breaker->open_ms == 0) {
        return CIRCUIT_BREAKER_CLOSED;
    }
    return now_ms < breaker->until_ms ? CIRCUIT_BREAKER_OPEN
                                      : CIRCUIT_BREAKER_HALF_OPEN;
}

int64_t
circuit_breaker_wait_ms(const struct circuit_breaker *breaker, int64_t now_ms)
{
    return circuit_breaker_state(breaker, now_ms) == CIRCUIT_BREAKER_OPEN
               ? breaker->until_ms - now_ms
               : 0;
}

bool
circuit_breaker_permits(const struct circuit_breaker *breaker, int64_t now_ms)
{
    return circuit_breaker_wait_ms(breaker, now_ms) == 0 && !breaker->probing;
}

bool
circuit_breaker_start(struct circuit_breaker *breaker, int64_t now_ms)
{
    breaker->probing =
        circuit_breaker_state(breaker, now_ms) == CIRCUIT_BREAKER_HALF_OPEN;
    return breaker->probing;
}

/* Writes a result into the window, in place of the oldest. */
static void
record(struct circuit_breaker *breaker, bool failed, int64_t now_ms)
{
    unsigned i = breaker->ended++ % CIRCUIT_BREAKER_WINDOW;

    breaker->ended_ms[i] = now_ms;
    if (failed) {
        breaker->in_row++;
        breaker->failed |= UINT32_C(1) << i;
    } else {
        breaker->in_row = 0;
        breaker->failed &= ~(UINT32_C(1) << i);
    }
}

static bool
must_open(const struct circuit_breaker *breaker, int64_t now_ms)
{
    int64_t oldest_ms =
        breaker->ended_ms[breaker->ended % CIRCUIT_BREAKER_WINDOW];

    if (breaker->in_row >= CIRCUIT_BREAKER_IN_ROW) {
        return true;
    }
    return breaker->ended >= CIRCUIT_BREAKER_WINDOW &&
           now_ms - oldest_ms <= CIRCUIT_BREAKER_WINDOW_MS &&
           __builtin_popcount(breaker->failed) >=
               CIRCUIT_BREAKER_WINDOW_FAILURES;
}

/* Opens it, for twice as long as before, and clears its history. */
static void
open_breaker(struct circuit_breaker *breaker, int64_t now_ms)
{
    int64_t open_ms =
        breaker->open_ms == 0 ? CIRCUIT_BREAKER_OPEN_MS : 2 * breaker->open_ms;

    memset(breaker, 0, sizeof(*breaker));
    breaker->open_ms = open_ms < CIRCUIT_BREAKER_OPEN_MAX_MS
                           ? open_ms
                           : CIRCUIT_BREAKER_OPEN_MAX_MS;
    breaker->until_ms = now_ms + breaker->open_ms;
}

void
circuit_breaker_succeed(struct circuit_breaker *breaker, bool probe,
                        int64_t now_ms)
{
    if (probe) {
        memset(breaker, 0, sizeof(*breaker));
    }
    if (breaker->open_ms == 0) {
        record(breaker, false, now_ms);
    }
}

void
circuit_breaker_fail(struct circuit_breaker *breaker, bool probe,
                     int64_t now_ms)
{
    if (breaker->open_ms == 0) {
        record(breaker, true, now_ms);
    }
    if (probe || must_open(breaker, now_ms)) {
        open_breaker(breaker, now_ms);
    }
}

void
circuit_breaker_cancel(struct circuit_breaker *breaker, bool probe)
{
    if (probe) {
        breaker->probing = false;
    }
}
