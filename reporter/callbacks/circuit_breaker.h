/*
 * A circuit breaker (Nygard, Release It!, 2007): after too many failures it
 * opens, and no attempt may start for a while. Then it is half open: one
 * attempt, the probe, may start, and its result closes or opens it. Pure: the
 * caller passes the time.
 */
#ifndef CIRCUIT_BREAKER_H
#define CIRCUIT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* It opens after this many failures in a row, ... */
    CIRCUIT_BREAKER_IN_ROW = 10,
    /* ... or if of the last attempts so many failed (70 %) in this time. */
    CIRCUIT_BREAKER_WINDOW = 20,
    CIRCUIT_BREAKER_WINDOW_FAILURES = 14,
    CIRCUIT_BREAKER_WINDOW_MS = 60000,
    /* It is open for this long, which doubles with each failed probe. */
    CIRCUIT_BREAKER_OPEN_MS = 30000,
    CIRCUIT_BREAKER_OPEN_MAX_MS = 600000,
};

enum circuit_breaker_state {
    CIRCUIT_BREAKER_CLOSED,    /* attempts may start */
    CIRCUIT_BREAKER_OPEN,      /* no attempt may start */
    CIRCUIT_BREAKER_HALF_OPEN, /* the probe may start, or is under way */
};

/* Zeroed: closed, without history. */
struct circuit_breaker {
    int in_row;       /* failures since the last success */
    unsigned ended;   /* attempts that ended while it was closed */
    uint32_t failed;  /* bit i: the attempt in slot i of ended_ms failed */
    int64_t open_ms;  /* how long it opened for; 0: it is closed */
    int64_t until_ms; /* monotonic: open until then, half open after it */
    bool probing;     /* the probe is under way */
    int64_t ended_ms[CIRCUIT_BREAKER_WINDOW]; /* monotonic; a ring */
};

enum circuit_breaker_state
circuit_breaker_state(const struct circuit_breaker *breaker, int64_t now_ms);

/* How long it stays open; 0 if it is not open. */
int64_t circuit_breaker_wait_ms(const struct circuit_breaker *breaker,
                                int64_t now_ms);

/* True if an attempt may start now. */
bool circuit_breaker_permits(const struct circuit_breaker *breaker,
                             int64_t now_ms);

/*
 * Notes that an attempt starts, which circuit_breaker_permits. True if it is
 * the probe: the caller passes that on to one of the next three at its end.
 */
bool circuit_breaker_start(struct circuit_breaker *breaker, int64_t now_ms);

void circuit_breaker_succeed(struct circuit_breaker *breaker, bool probe,
                             int64_t now_ms);
void circuit_breaker_fail(struct circuit_breaker *breaker, bool probe,
                          int64_t now_ms);

/* The attempt ended without a result: it counts neither way. */
void circuit_breaker_cancel(struct circuit_breaker *breaker, bool probe);

#endif
