/*
 * The callback log: one line per attempt, for operators and their programs.
 *
 * 2026-01-02T03:04:05.678Z job=.. window=2026-01-02T03:04:00Z host=h:p
 * attempt=1 status=200 error=- count=7 duration_ms=12 next=done
 * (all in one line), and trace=<trace id> if the request had a traceparent
 */
#ifndef CALLBACK_LOG_H
#define CALLBACK_LOG_H

#include <stdint.h>

#include "store/job.h"

struct callback_log;

/* An attempt. */
struct callback_log_line {
    const struct job *job;
    const char *host;  /* host:port */
    long status;       /* 0: no response */
    const char *error; /* a word, or "-" */
    int64_t duration_ms;
    enum job_disposition next; /* what becomes of the job */
};

/* path is borrowed. NULL: no memory. If the file can't be opened, that is no
   error: each line tries again. */
struct callback_log *callback_log_open(const char *path);
void callback_log_close(struct callback_log *log);

/* Opens the file anew, after a rotation. */
void callback_log_reopen(struct callback_log *log);

/* Writes one line with the present time. If that fails, the program's own log
   has a warning. Does not block. */
void callback_log_write(struct callback_log *log,
                        const struct callback_log_line *line);

#endif
