/*
 * The spans of callbacks: which of them there are, for jobs whose request had a
 * sampled traceparent. Without otlp.endpoint there are none.
 */
#ifndef TRACES_H
#define TRACES_H

#include "callback_log.h"
#include "config/options.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"

struct traces;

/* The arguments are borrowed for its life. NULL: the system refuses. */
struct traces *traces_open(const struct options *options,
                           struct event_loop *loop, struct metrics *metrics);
void traces_close(struct traces *traces);

/*
 * Notes an attempt that has ended now. span_id is that of its traceparent;
 * NULL: none was sent. Before the job's first attempt that counts come the
 * spans of its acceptance and of its time in the queue.
 */
void traces_note(struct traces *traces, const struct callback_log_line *line,
                 const char *span_id);

/* See otlp_exporter_flush; calls done at once if there is no exporter. */
void traces_flush(struct traces *traces, void (*done)(void *context),
                  void *context);

#endif
