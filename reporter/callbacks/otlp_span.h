/*
 * A span as OTLP's JSON has it: one text for each span. Pure.
 *
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are
 * hexadecimal, 64-bit integers are strings, enumerations are numbers. The names
 * of attributes are those of the semantic conventions for HTTP spans, those
 * that begin with "verve." are ours.
 */
#ifndef OTLP_SPAN_H
#define OTLP_SPAN_H

#include <stddef.h>

#include "callback_log.h"
#include "config/options.h"
#include "store/job.h"

/*
 * The job, which has a traceparent and the time of its acceptance, was accepted
 * (kind SERVER, without a duration); it waited in the queue until until_ms, ms
 * since the Unix epoch. The same job always has the same ids here. malloc'd;
 * NULL: no memory.
 */
char *otlp_span_accept(const struct job *job);
char *otlp_span_queue(const struct job *job, int64_t until_ms);

/*
 * An attempt (kind CLIENT) that has ended now, by Redis's clock. Its job has a
 * traceparent. malloc'd; NULL: no memory.
 */
char *otlp_span_attempt(const struct callback_log_line *line,
                        const char *span_id, enum callback_method method);

/* When the attempt began, by Redis's clock: ms since the Unix epoch. */
int64_t otlp_span_began_ms(const struct callback_log_line *line);

/*
 * The request of count spans: ExportTraceServiceRequest. instance is the
 * service.instance.id. malloc'd, *len bytes; NULL: no memory.
 */
char *otlp_span_request(char *const *spans, size_t count, const char *instance,
                        size_t *len);

#endif
