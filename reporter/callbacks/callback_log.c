/*
 * callback_log: the text of its lines. An id and a host that come this far
 * hold no blank (see job.c and payload.c): nobody can forge a line.
 */
#include "callback_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "line_file.h"
#include "store/endpoint_url.h"

/* A host may be as long as an endpoint; everything else fits beside it. */
enum { LINE_SIZE = ENDPOINT_URL_MAX_BYTES + 512 };

struct callback_log {
    const char *path;
    struct line_file *file;
    struct log_throttle trouble;
};

struct callback_log *
callback_log_open(const char *path)
{
    struct callback_log *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        return NULL;
    }
    log->path = path;
    log->file = line_file_open(path);
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
        line_file_close(log->file);
        free(log);
    }
}

void
callback_log_reopen(struct callback_log *log)
{
    line_file_reopen(log->file);
}

/* 0, or -1 (errno). */
static int
write_line(struct line_file *file, const struct callback_line *line)
{
    const struct job *job = line->job;
    char text[LINE_SIZE];
    char now[RFC3339_SIZE];
    char window[RFC3339_SIZE];
    char status[24] = "-";
    int len;

    rfc3339_format_ms(now, clock_wall_ms());
    rfc3339_format(window, job->window_s);
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
    return line_file_write(file, text, (size_t)len);
}

void
callback_log_write(struct callback_log *log, const struct callback_line *line)
{
    if (write_line(log->file, line) == 0) {
        log_throttle_over(&log->trouble, log->path);
    } else {
        log_throttle_note(&log->trouble, log->path, strerror(errno));
    }
}
