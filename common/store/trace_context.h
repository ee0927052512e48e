/*
 * How a request names itself in the traces and logs of its sender: the headers
 * traceparent and tracestate of W3C Trace Context, and X-Request-Id. A header
 * that breaks a rule counts as absent, as Trace Context wants it: it is never
 * the reason to refuse a request. What is kept is printable ASCII, so that it
 * is safe in a header.
 *
 * https://www.w3.org/TR/trace-context/ (level 1, and the flag of level 2)
 */
#ifndef TRACE_CONTEXT_H
#define TRACE_CONTEXT_H

#include <stdbool.h>

enum {
    TRACE_CONTEXT_TRACEPARENT_SIZE = 56, /* with the NUL, as all sizes here */
    TRACE_CONTEXT_TRACE_ID_SIZE = 33,
    TRACE_CONTEXT_SPAN_ID_SIZE = 17,
    TRACE_CONTEXT_TRACESTATE_MAX_BYTES = 512,
    TRACE_CONTEXT_REQUEST_ID_MAX_BYTES = 64,
};

/* Texts; "": absent. */
struct trace_context {
    /* Of version 00: 00-<trace id>-<span id>-<flags>. */
    char traceparent[TRACE_CONTEXT_TRACEPARENT_SIZE];
    /* Only with a traceparent. */
    char tracestate[TRACE_CONTEXT_TRACESTATE_MAX_BYTES + 1];
    char request_id[TRACE_CONTEXT_REQUEST_ID_MAX_BYTES + 1];
};

/*
 * Keeps those of the values that follow the rules; NULL: absent.
 *
 *   traceparent  version 00, or a higher version but ff, whose additional
 *                fields are dropped; hexadecimal digits are small; neither id
 *                is all zeros. Of the flags, sampled (01) and random (02) are
 *                kept; others must not be passed on.
 *   tracestate   1 to 32 members <key>=<value> as section 3.3.1 has them, 512
 *                bytes in all; blanks and empty members are allowed
 *   request id   1 to 64 visible ASCII characters
 */
void trace_context_read(struct trace_context *trace, const char *traceparent,
                        const char *tracestate, const char *request_id);

/* True if it has any of the three. */
bool trace_context_is_set(const struct trace_context *trace);

/* True if the sender records its trace. */
bool trace_context_is_sampled(const struct trace_context *trace);

/* The parts of a traceparent that is set. */
void trace_context_trace_id(const struct trace_context *trace,
                            char trace_id[TRACE_CONTEXT_TRACE_ID_SIZE]);
void trace_context_span_id(const struct trace_context *trace,
                           char span_id[TRACE_CONTEXT_SPAN_ID_SIZE]);

/* The traceparent, which is set, with another span id. */
void trace_context_child(const struct trace_context *trace, const char *span_id,
                         char traceparent[TRACE_CONTEXT_TRACEPARENT_SIZE]);

#endif
