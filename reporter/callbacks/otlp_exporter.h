/*
 * Exports spans to an OTLP receiver, beside the callbacks and without any
 * influence on them: over a connection of its own, one request at a time, from
 * a queue of a limited length. While the receiver is away, spans wait; spans
 * beyond the limit are dropped and counted.
 */
#ifndef OTLP_EXPORTER_H
#define OTLP_EXPORTER_H

#include <stdbool.h>

#include "metrics/metrics.h"
#include "net/event_loop.h"

enum {
    OTLP_EXPORTER_QUEUE = 2048,    /* spans at most, with those under way */
    OTLP_EXPORTER_BATCH = 512,     /* spans of a request at most */
    OTLP_EXPORTER_DELAY_MS = 5000, /* until a smaller batch is sent */
    OTLP_EXPORTER_FLUSH_MS = 2000, /* for all spans that are left at the end */
};

struct otlp_exporter;

/* endpoint is borrowed for the call: see otlp_request_open; loop and metrics
   for its life. NULL: the system refuses. */
struct otlp_exporter *otlp_exporter_open(const char *endpoint,
                                         struct event_loop *loop,
                                         struct metrics *metrics);

/* Drops what is in the queue. */
void otlp_exporter_close(struct otlp_exporter *exporter);

/* False: a span that is added now would be dropped. */
bool otlp_exporter_has_room(const struct otlp_exporter *exporter);

/* Takes over a span of otlp_span.h, malloc'd. NULL: it was not made, and counts
   as dropped. */
void otlp_exporter_add(struct otlp_exporter *exporter, char *span);

/* Sends what is in the queue, and calls done once, within
   OTLP_EXPORTER_FLUSH_MS; at once if there is nothing. */
void otlp_exporter_flush(struct otlp_exporter *exporter,
                         void (*done)(void *context), void *context);

#endif
