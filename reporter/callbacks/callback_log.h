/*
 * The callback log: one line an attempt, so that an operator can see what
 * became of every callback.
 *
 * 2026-01-02T03:04:05.678Z job=.. window=2026-01-02T03:04:00Z host=h:p
 * attempt=1 status=200 error=- count=7 duration_ms=12      (in one line)
 */
#ifndef CALLBACK_LOG_H
#define CALLBACK_LOG_H

#include <stdint.h>

#include "store/job.h"

struct callback_log;

struct callback_line {
    const struct job *job;
    const char *host;  /* host:port */
    long status;       /* 0: no response */
    const char *error; /* one word, or "-" */
    int64_t duration_ms;
};

/* path is borrowed for its life. NULL: no memory; a file that can't be opened
   is no error, the next line tries again. */
struct callback_log *callback_log_open(const char *path);
void callback_log_close(struct callback_log *log);
void callback_log_reopen(struct callback_log *log);

/* Writes one line, with the time that it is now. Where that fails, the
   program's own log says so. */
void callback_log_write(struct callback_log *log,
                        const struct callback_line *line);

#endif
