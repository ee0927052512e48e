/*
 * A trouble that lasts, and what is logged of it: its beginning, that it is
 * still there once a minute, and its end.
 */
#ifndef TROUBLE_H
#define TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: there is none. */
struct trouble {
    bool on;
    int64_t since_ms; /* monotonic */
    int64_t said_ms;  /* monotonic: when it was logged last */
};

/* It is there: who has it, and why. */
void trouble_note(struct trouble *trouble, const char *who, const char *why);

/* It is not, or no more. */
void trouble_over(struct trouble *trouble, const char *who);

#endif
