/*
 * A circuit breaker (Nygard, Release It!, 2007): after so many failures
 * nothing is sent for a while, then one attempt as a probe, whose end decides.
 * Pure: the time is passed in.
 */
#ifndef CIRCUIT_BREAKER_H
#define CIRCUIT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CIRCUIT_BREAKER_ROW = 10,             /* failures in a row that open it */
    CIRCUIT_BREAKER_WINDOW = 20,          /* or of so many attempts ... */
    CIRCUIT_BREAKER_WINDOW_FAILURES = 14, /* ... so many: 70 % ... */
    CIRCUIT_BREAKER_WINDOW_MS = 60000,    /* ... that ended within this */
    CIRCUIT_BREAKER_OPEN_MS = 30000, /* how long it opens first; doubles ... */
    CIRCUIT_BREAKER_OPEN_MAX_MS =
        600000, /* ... up to this with each failed probe */
};

enum circuit_breaker_state {
    CIRCUIT_BREAKER_CLOSED,    /* all is well: attempts may start */
    CIRCUIT_BREAKER_OPEN,      /* none may */
    CIRCUIT_BREAKER_HALF_OPEN, /* one may, as the probe, or is under way */
};

/* Zeroed: closed, nothing known. */
struct circuit_breaker {
    int in_row;       /* failures since the last success */
    unsigned ended;   /* attempts that ended while it was closed */
    uint32_t failed;  /* bit i: attempt i of the window failed */
    int64_t open_ms;  /* how long it is opened for; 0: closed */
    int64_t until_ms; /* monotonic: open until then, half open after */
    bool probing;     /* a probe is under way */
    int64_t ended_ms[CIRCUIT_BREAKER_WINDOW]; /* monotonic; the oldest is
                                                 replaced */
};

enum circuit_breaker_state
circuit_breaker_state(const struct circuit_breaker *breaker, int64_t now_ms);

/* How long it is open yet; 0 where it is not. */
int64_t circuit_breaker_wait_ms(const struct circuit_breaker *breaker,
                                int64_t now_ms);

/* True where an attempt may start now. */
bool circuit_breaker_permits(const struct circuit_breaker *breaker,
                             int64_t now_ms);

/*
 * An attempt starts, which circuit_breaker_permits. True where it is the probe;
 * that is to be said again at its end, by one of the next three.
 */
bool circuit_breaker_start(struct circuit_breaker *breaker, int64_t now_ms);

void circuit_breaker_succeed(struct circuit_breaker *breaker, bool probe,
                             int64_t now_ms);
void circuit_breaker_fail(struct circuit_breaker *breaker, bool probe,
                          int64_t now_ms);

/* It ended without showing anything. */
void circuit_breaker_forget(struct circuit_breaker *breaker, bool probe);

#endif
