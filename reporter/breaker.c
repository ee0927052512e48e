/*
 * breaker: what ends while it is not closed counts only if it is the probe: the
 * others started before it opened, and are old news.
 */
#include "breaker.h"

#include <string.h>

enum breaker_state
breaker_state(const struct breaker *breaker, int64_t now_ms)
{
    if (breaker->open_ms == 0) {
        return BREAKER_CLOSED;
    }
    return now_ms < breaker->until_ms ? BREAKER_OPEN : BREAKER_HALF_OPEN;
}

int64_t
breaker_wait_ms(const struct breaker *breaker, int64_t now_ms)
{
    return breaker_state(breaker, now_ms) == BREAKER_OPEN
               ? breaker->until_ms - now_ms
               : 0;
}

bool
breaker_permits(const struct breaker *breaker, int64_t now_ms)
{
    return breaker_wait_ms(breaker, now_ms) == 0 && !breaker->probing;
}

bool
breaker_start(struct breaker *breaker, int64_t now_ms)
{
    breaker->probing = breaker_state(breaker, now_ms) == BREAKER_HALF_OPEN;
    return breaker->probing;
}

/* Puts the end of an attempt into the window, in place of the oldest. */
static void
note(struct breaker *breaker, bool failed, int64_t now_ms)
{
    unsigned i = breaker->ended++ % BREAKER_WINDOW;

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
had_enough(const struct breaker *breaker, int64_t now_ms)
{
    int64_t oldest_ms = breaker->ended_ms[breaker->ended % BREAKER_WINDOW];

    if (breaker->in_row >= BREAKER_ROW) {
        return true;
    }
    return breaker->ended >= BREAKER_WINDOW &&
           now_ms - oldest_ms <= BREAKER_WINDOW_MS &&
           __builtin_popcount(breaker->failed) >= BREAKER_WINDOW_FAILURES;
}

/* Opens it for twice as long as before, forgetting what led to it. */
static void
open_up(struct breaker *breaker, int64_t now_ms)
{
    int64_t open_ms =
        breaker->open_ms == 0 ? BREAKER_OPEN_MS : 2 * breaker->open_ms;

    memset(breaker, 0, sizeof(*breaker));
    breaker->open_ms =
        open_ms < BREAKER_OPEN_MAX_MS ? open_ms : BREAKER_OPEN_MAX_MS;
    breaker->until_ms = now_ms + breaker->open_ms;
}

void
breaker_succeed(struct breaker *breaker, bool probe, int64_t now_ms)
{
    if (probe) {
        memset(breaker, 0, sizeof(*breaker));
    }
    if (breaker->open_ms == 0) {
        note(breaker, false, now_ms);
    }
}

void
breaker_fail(struct breaker *breaker, bool probe, int64_t now_ms)
{
    if (breaker->open_ms == 0) {
        note(breaker, true, now_ms);
    }
    if (probe || had_enough(breaker, now_ms)) {
        open_up(breaker, now_ms);
    }
}

void
breaker_forget(struct breaker *breaker, bool probe)
{
    if (probe) {
        breaker->probing = false;
    }
}
