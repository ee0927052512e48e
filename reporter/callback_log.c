/*
 * callback_log: the text of its lines. An id and a host that come this far
 * hold no blank (see job.c and message.c): nobody can forge a line.
 */
#include "callback_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint.h"
#include "logfile.h"
#include "trouble.h"
#include "window.h"

/* A host may be as long as an endpoint; everything else fits beside it. */
enum { LINE_SIZE = ENDPOINT_MAX_BYTES + 512 };

struct callback_log {
    const char *path;
    struct logfile *file;
    struct trouble trouble;
};

struct callback_log *
callback_log_open(const char *path)
{
    struct callback_log *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        return NULL;
    }
    log->path = path;
    log->file = logfile_open(path);
    if (log->file == NULL) {
        free(log);
        return NULL;
    }
    return log;
}

void
callback_log_close(struct callback_log *log)
{
    if (log != NULL) {
        logfile_close(log->file);
        free(log);
    }
}

void
callback_log_reopen(struct callback_log *log)
{
    logfile_reopen(log->file);
}

/* 0, or -1 (errno). */
static int
write_line(struct logfile *logfile, const struct callback_line *line)
{
    const struct job *job = line->job;
    char text[LINE_SIZE];
    char now[WINDOW_TEXT_SIZE];
    char window[WINDOW_TEXT_SIZE];
    char status[24] = "-";
    int len;

    window_format_ms(now, clock_wall_ms());
    window_format(window, job->window_s);
    if (line->status != 0) {
        snprintf(status, sizeof(status), "%ld", line->status);
    }
    len = snprintf(text, sizeof(text),
                   "%s job=%s window=%s host=%s attempt=%" PRId64
                   " status=%s error=%s count=%" PRId64 " duration_ms=%" PRId64
                   "\n",
                   now, job->id, window, line->host, job->attempts + 1, status,
                   line->error, job->count, line->duration_ms);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        errno = EMSGSIZE;
        return -1;
    }
    return logfile_write(logfile, text, (size_t)len);
}

void
callback_log_write(struct callback_log *log, const struct callback_line *line)
{
    if (write_line(log->file, line) == 0) {
        trouble_over(&log->trouble, log->path);
    } else {
        trouble_note(&log->trouble, log->path, strerror(errno));
    }
}
