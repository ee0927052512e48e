/*
 * callback_log: the format of its lines. No client can forge a line, because
 * ids and hosts have no blanks (see job.c and payload.c).
 */
#include "callback_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/line_file.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "store/endpoint_url.h"

/* A host may be as long as an endpoint; all else fits into 512 bytes. */
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
    log->file = line_file_open(path, O_WRONLY);
    if (log->file == NULL) {
        free(log);
        return NULL;
    }
    (void)line_file_follow(log->file);
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
    line_file_release(log->file);
    (void)line_file_follow(log->file);
}

static const char *
next_word(enum job_disposition next)
{
    switch (next) {
    case JOB_DELIVERED:
        return "done";
    case JOB_RETRY:
    case JOB_RETURN:
        return "retry";
    case JOB_DEAD:
    case JOB_DROPPED:
        return "dead";
    }
    return "-";
}

/* The field for the trace that the request belongs to, or "". */
static void
format_trace(char *text, size_t size, const struct job *job)
{
    char trace_id[TRACE_CONTEXT_TRACE_ID_SIZE];

    text[0] = '\0';
    if (job->trace != NULL && job->trace->traceparent[0] != '\0') {
        trace_context_trace_id(job->trace, trace_id);
        snprintf(text, size, " trace=%s", trace_id);
    }
}

/* 0, or -1 (errno). */
static int
write_line(struct line_file *file, const struct callback_log_line *line)
{
    const struct job *job = line->job;
    char text[LINE_SIZE];
    char now[RFC3339_SIZE];
    char window[RFC3339_SIZE];
    char status[24] = "-";
    char trace[sizeof(" trace=") + TRACE_CONTEXT_TRACE_ID_SIZE];
    int len;

    rfc3339_format_ms(now, clock_wall_ms());
    rfc3339_format(window, job->window_s);
    if (line->status != 0) {
        snprintf(status, sizeof(status), "%ld", line->status);
    }
    format_trace(trace, sizeof(trace), job);
    len = snprintf(text, sizeof(text),
                   "%s job=%s window=%s host=%s attempt=%" PRId64
                   " status=%s error=%s count=%" PRId64 " duration_ms=%" PRId64
                   " next=%s%s\n",
                   now, job->id, window, line->host, job->attempts + 1, status,
                   line->error, job->count, line->duration_ms,
                   next_word(line->next), trace);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        errno = EMSGSIZE;
        return -1;
    }
    return line_file_follow(file) < 0
               ? -1
               : line_file_write(file, text, (size_t)len);
}

void
callback_log_write(struct callback_log *log,
                   const struct callback_log_line *line)
{
    if (write_line(log->file, line) == 0) {
        log_throttle_over(&log->trouble, log->path);
    } else {
        log_throttle_note(&log->trouble, log->path, line_file_strerror(errno));
    }
}
