/*
 * Limits the log lines about an operation that fails again and again. Its
 * trouble is logged at the beginning, once a minute while it lasts, at once if
 * it has a new reason, and at the end. If it comes and goes, or its reasons
 * take turns, at most LOG_THROTTLE_BEGINNINGS beginnings a minute are logged;
 * if a beginning is not logged, its end is not either.
 *
 * Each operation that can fail by itself has a log_throttle of its own. The
 * trouble ends only if that operation has worked: not if there was nothing to
 * do, nor if another operation has worked.
 */
#ifndef LOG_THROTTLE_H
#define LOG_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_THROTTLE_BEGINNINGS = 5 };

/* Zeroed: there is no trouble. */
struct log_throttle {
    bool on;
    bool logged;       /* its beginning was logged */
    int64_t since_ms;  /* monotonic: when it began */
    int64_t logged_ms; /* monotonic: when it was logged last */
    uint64_t reason;   /* hash of the reason that was logged last */
    int64_t period_ms; /* monotonic: start of the minute of `beginnings` */
    int beginnings;    /* logged in this minute */
};

/*
 * The operation has failed. True if that should be logged now. Reasons that
 * differ only in their digits are the same reason. If there is only one reason,
 * why is "".
 */
bool log_throttle_due(struct log_throttle *throttle, const char *why);

/* The operation has worked. True if the end of a trouble should be logged. */
bool log_throttle_end(struct log_throttle *throttle);

/* As log_throttle_due, and logs "<who>: <why>; trying again". */
void log_throttle_note(struct log_throttle *throttle, const char *who,
                       const char *why);

/* As log_throttle_end, and logs "<who>: works again, after N s". */
void log_throttle_over(struct log_throttle *throttle, const char *who);

#endif
