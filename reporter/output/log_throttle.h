/*
 * A trouble that lasts, and what is logged of it: its beginning, that it is
 * still there once a minute, and its end.
 */
#ifndef LOG_THROTTLE_H
#define LOG_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: there is none. */
struct log_throttle {
    bool on;
    int64_t since_ms; /* monotonic */
    int64_t said_ms;  /* monotonic: when it was logged last */
};

/* It is there. True where that is worth a line now. */
bool log_throttle_due(struct log_throttle *trouble);

/* It is there: who has it, and why. What is tried again; else see above. */
void log_throttle_note(struct log_throttle *trouble, const char *who,
                       const char *why);

/* It is not, or no more. */
void log_throttle_over(struct log_throttle *trouble, const char *who);

#endif
