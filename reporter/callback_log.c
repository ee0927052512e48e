/*
 * callback_log: the text of its lines. An id and a host that come this far
 * hold no blank (see job.c and message.c): nobody can forge a line.
 */
#include "callback_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "endpoint.h"
#include "window.h"

/* A host may be as long as an endpoint; everything else fits beside it. */
enum { LINE_SIZE = ENDPOINT_MAX_BYTES + 512 };

int
callback_log_write(struct logfile *logfile, const struct callback_line *line)
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
