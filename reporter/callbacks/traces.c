/*
 * traces: the first attempt of a job tells of all that came before it.
 */
#include "traces.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/util.h"
#include "otlp_exporter.h"
#include "otlp_span.h"

struct traces {
    const struct options *options;
    struct otlp_exporter *exporter; /* NULL: no otlp.endpoint */
};

struct traces *
traces_open(const struct options *options, struct event_loop *loop,
            struct metrics *metrics)
{
    struct traces *traces = calloc(1, sizeof(*traces));
    const char *endpoint = options->otlp.endpoint;

    if (traces == NULL) {
        return NULL;
    }
    traces->options = options;
    if (endpoint[0] != '\0') {
        traces->exporter = otlp_exporter_open(endpoint, loop, metrics);
        if (traces->exporter == NULL) {
            free(traces);
            return NULL;
        }
    }
    return traces;
}

void
traces_close(struct traces *traces)
{
    if (traces != NULL) {
        otlp_exporter_close(traces->exporter);
        free(traces);
    }
}

/* Spans for which there is no room need not be made. */
static void
drop(struct otlp_exporter *exporter, size_t count)
{
    for (; count > 0; count--) {
        otlp_exporter_add(exporter, NULL);
    }
}

void
traces_note(struct traces *traces, const struct callback_log_line *line,
            const char *span_id)
{
    struct otlp_exporter *exporter = traces->exporter;
    const struct job *job = line->job;
    char random_id[TRACE_CONTEXT_SPAN_ID_SIZE] = "";
    bool first;

    if (exporter == NULL || job->trace == NULL ||
        !trace_context_is_sampled(job->trace)) {
        return;
    }
    if (span_id == NULL) {
        random_hex(random_id, sizeof(random_id) / 2);
        span_id = random_id;
    }
    first = job->at_ms != 0 && job->attempts == 0 && line->next != JOB_RETURN;
    if (!otlp_exporter_has_room(exporter)) {
        drop(exporter, first ? 3 : 1);
        return;
    }
    if (first) {
        otlp_exporter_add(exporter, otlp_span_accept(job));
        otlp_exporter_add(exporter,
                          otlp_span_queue(job, otlp_span_began_ms(line)));
    }
    otlp_exporter_add(
        exporter,
        otlp_span_attempt(line, span_id, traces->options->callbacks.method));
}

void
traces_flush(struct traces *traces, void (*done)(void *context), void *context)
{
    if (traces->exporter == NULL) {
        done(context);
    } else {
        otlp_exporter_flush(traces->exporter, done, context);
    }
}
