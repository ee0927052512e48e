/*
 * How many callbacks were given up, by destination, for the program's log: once
 * a minute a line for each. The callback log has each of them.
 */
#ifndef DEATHS_H
#define DEATHS_H

#include <stdint.h>

#include "store/job.h"

enum {
    DEATHS_PERIOD_MS = 60 * 1000,
    DEATHS_ROWS = 20,         /* destinations with a line; the rest is summed */
    DEATHS_ORIGIN_SIZE = 300, /* a longer origin is cut */
};

struct deaths_row {
    char origin[DEATHS_ORIGIN_SIZE];
    char error[JOB_ERROR_SIZE]; /* of the last one */
    int64_t count;
};

/* Zeroed: none yet. */
struct deaths {
    struct deaths_row rows[DEATHS_ROWS]; /* the first `used` */
    int used;
    int64_t others;    /* of destinations without a row */
    int64_t logged_ms; /* monotonic: when lines were logged last */
};

/* Notes that the callback to url was given up; error is its last error. */
void deaths_note(struct deaths *deaths, const char *url, const char *error);

/* Logs what was noted, unless that was done within the last minute. */
void deaths_log(struct deaths *deaths, int64_t now_ms);

#endif
