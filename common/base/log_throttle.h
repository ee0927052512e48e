/*
 * A trouble that lasts, and what is logged of it: its beginning, that it is
 * still there once a minute, and its end. A trouble that comes and goes may
 * begin TROUBLE_BEGINNINGS times a minute before its beginnings, and with them
 * its ends, are left out.
 *
 * Each operation that can fail by itself has a trouble of its own, which ends
 * only if that operation has worked: not if there was nothing to do, nor if
 * another operation has worked.
 */
#ifndef LOG_THROTTLE_H
#define LOG_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum { TROUBLE_BEGINNINGS = 5 };

/* Zeroed: there is none. */
struct log_throttle {
    bool on;
    bool told;         /* the log has its beginning */
    int64_t since_ms;  /* monotonic */
    int64_t said_ms;   /* monotonic: when it was logged last */
    int64_t period_ms; /* monotonic: the start of the minute with these: */
    int beginnings;    /* that were logged */
};

/* It is there. True if that is worth a line now. */
bool log_throttle_due(struct log_throttle *trouble);

/* It is not, or no more. True if that is worth a line. */
bool log_throttle_end(struct log_throttle *trouble);

/* As log_throttle_due, with the line: who has it, and why. What is tried again.
 */
void log_throttle_note(struct log_throttle *trouble, const char *who,
                       const char *why);

/* As log_throttle_end, with the line. */
void log_throttle_over(struct log_throttle *trouble, const char *who);

#endif
