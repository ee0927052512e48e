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

/* It is there. True where that is worth a line now. */
bool trouble_due(struct trouble *trouble);

/* It is there: who has it, and why. What is tried again; else see above. */
void trouble_note(struct trouble *trouble, const char *who, const char *why);

/* It is not, or no more. */
void trouble_over(struct trouble *trouble, const char *who);

#endif
