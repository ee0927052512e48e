/*
 * A circuit breaker (Nygard, Release It!, 2007): after so many failures
 * nothing is sent for a while, then one attempt as a probe, whose end decides.
 * Pure: the time is passed in.
 */
#ifndef BREAKER_H
#define BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_ROW = 10,             /* failures in a row that open it */
    BREAKER_WINDOW = 20,          /* or of so many attempts ... */
    BREAKER_WINDOW_FAILURES = 14, /* ... so many: 70 % ... */
    BREAKER_WINDOW_MS = 60000,    /* ... that ended within this */
    BREAKER_OPEN_MS = 30000,      /* how long it opens first; doubles ... */
    BREAKER_OPEN_MAX_MS = 600000, /* ... up to this with each failed probe */
};

enum breaker_state {
    BREAKER_CLOSED,    /* all is well: attempts may start */
    BREAKER_OPEN,      /* none may */
    BREAKER_HALF_OPEN, /* one may, as the probe, or is under way */
};

/* Zeroed: closed, nothing known. */
struct breaker {
    int in_row;       /* failures since the last success */
    unsigned ended;   /* attempts that ended while it was closed */
    uint32_t failed;  /* bit i: attempt i of the window failed */
    int64_t open_ms;  /* how long it is opened for; 0: closed */
    int64_t until_ms; /* monotonic: open until then, half open after */
    bool probing;     /* a probe is under way */
    int64_t ended_ms[BREAKER_WINDOW]; /* monotonic; the oldest is replaced */
};

enum breaker_state breaker_state(const struct breaker *breaker, int64_t now_ms);

/* How long it is open yet; 0 where it is not. */
int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms);

/* True where an attempt may start now. */
bool breaker_permits(const struct breaker *breaker, int64_t now_ms);

/*
 * An attempt starts, which breaker_permits. True where it is the probe; that is
 * to be said again at its end, by one of the next three.
 */
bool breaker_start(struct breaker *breaker, int64_t now_ms);

void breaker_succeed(struct breaker *breaker, bool probe, int64_t now_ms);
void breaker_fail(struct breaker *breaker, bool probe, int64_t now_ms);

/* It ended without showing anything. */
void breaker_forget(struct breaker *breaker, bool probe);

#endif
