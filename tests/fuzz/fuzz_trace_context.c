/*
 * fuzz_trace_context: libFuzzer over the headers of a trace. The input is three
 * headers, each ended by a NUL. Checked for any input: what is kept may go into
 * a header and into JSON, and is kept again if it is read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "store/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        MUST(*text >= 0x20 && *text < 0x7f);
    }
}

static void
check(const struct trace_context *trace)
{
    struct trace_context again;
    size_t len = strlen(trace->traceparent);

    MUST(len == 0 || len == TRACE_CONTEXT_TRACEPARENT_SIZE - 1);
    MUST(trace->traceparent[0] != '\0' || trace->tracestate[0] == '\0');
    MUST(strlen(trace->tracestate) <= TRACE_CONTEXT_TRACESTATE_MAX_BYTES);
    MUST(strlen(trace->request_id) <= TRACE_CONTEXT_REQUEST_ID_MAX_BYTES);
    check_printable(trace->traceparent);
    check_printable(trace->tracestate);
    check_printable(trace->request_id);
    trace_context_read(&again, trace->traceparent, trace->tracestate,
                       trace->request_id);
    MUST(strcmp(again.traceparent, trace->traceparent) == 0);
    MUST(strcmp(again.tracestate, trace->tracestate) == 0);
    MUST(strcmp(again.request_id, trace->request_id) == 0);
}

/* A copy of the text at *at, of just its size, so that ASan sees each step
   off. */
static char *
take_text(const uint8_t **at, size_t *left)
{
    const uint8_t *end = *left > 0 ? memchr(*at, '\0', *left) : NULL;
    size_t len = end != NULL ? (size_t)(end - *at) : *left;
    char *text = calloc(1, len + 1);

    MUST(text != NULL);
    if (len > 0) {
        memcpy(text, *at, len);
    }
    *at += len + (end != NULL);
    *left -= len + (end != NULL);
    return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *traceparent = take_text(&data, &size);
    char *tracestate = take_text(&data, &size);
    char *request_id = take_text(&data, &size);
    struct trace_context trace;

    memset(&trace, 0xA5, sizeof(trace));
    trace_context_read(&trace, traceparent, tracestate, request_id);
    check(&trace);
    free(traceparent);
    free(tracestate);
    free(request_id);
    return 0;
}
