/*
 * trace_context: each header is checked from left to right, and copied only if
 * all of it is right.
 */
#include "trace_context.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SMALL_LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define HEX_DIGITS DIGITS "abcdef"
#define KEY_CHARS SMALL_LETTERS DIGITS "_-*/"

/* Where the parts of a traceparent begin, and their length. */
enum {
    VERSION_LEN = 2,
    TRACE_ID_AT = 3,
    TRACE_ID_LEN = TRACE_CONTEXT_TRACE_ID_SIZE - 1,
    SPAN_ID_AT = 36,
    SPAN_ID_LEN = TRACE_CONTEXT_SPAN_ID_SIZE - 1,
    FLAGS_AT = 53,
    FLAGS_LEN = 2,
    TRACEPARENT_LEN = TRACE_CONTEXT_TRACEPARENT_SIZE - 1,
};

enum {
    FLAG_SAMPLED = 1,
    FLAG_RANDOM = 2,
    MEMBERS_MAX = 32,
    KEY_MAX = 256,    /* of a simple key */
    TENANT_MAX = 241, /* of a key <tenant>@<system> */
    SYSTEM_MAX = 14,
    VALUE_MAX = 256,
};

/* True if text[0..len) are small hexadecimal digits, and no NUL is among them.
   `nonzero`: and not all are 0. */
static bool
is_hex(const char *text, size_t len, bool nonzero)
{
    return strspn(text, HEX_DIGITS) >= len &&
           !(nonzero && strspn(text, "0") >= len);
}

static bool
is_traceparent(const char *text)
{
    size_t len = strlen(text);
    bool first = strncmp(text, "00-", VERSION_LEN + 1) == 0;

    return len >= TRACEPARENT_LEN && is_hex(text, VERSION_LEN, false) &&
           strncmp(text, "ff", VERSION_LEN) != 0 &&
           text[TRACE_ID_AT - 1] == '-' &&
           is_hex(text + TRACE_ID_AT, TRACE_ID_LEN, true) &&
           text[SPAN_ID_AT - 1] == '-' &&
           is_hex(text + SPAN_ID_AT, SPAN_ID_LEN, true) &&
           text[FLAGS_AT - 1] == '-' &&
           is_hex(text + FLAGS_AT, FLAGS_LEN, false) &&
           (len == TRACEPARENT_LEN || (!first && text[TRACEPARENT_LEN] == '-'));
}

/* The known flags of a traceparent that was checked: the value of the last
   digit's lowest two bits. */
static int
known_flags(const char *traceparent)
{
    char digit = traceparent[FLAGS_AT + 1];
    int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;

    return value & (FLAG_SAMPLED | FLAG_RANDOM);
}

static bool
is_visible(char c)
{
    return c > 0x20 && c < 0x7F;
}

/* Length of the key at text, 0 if there is none. */
static size_t
key_len(const char *text)
{
    size_t len = strspn(text, KEY_CHARS);
    size_t system;

    if (text[len] != '@') {
        return len <= KEY_MAX && strspn(text, DIGITS "_-*/") == 0 ? len : 0;
    }
    system = strspn(text + len + 1, KEY_CHARS);
    if (len == 0 || len > TENANT_MAX || strspn(text, "_-*/") > 0 ||
        system == 0 || system > SYSTEM_MAX ||
        strspn(text + len + 1, DIGITS "_-*/") > 0) {
        return 0;
    }
    return len + 1 + system;
}

/* Length of the value at text, without the blanks behind it; 0 if it is
   none. */
static size_t
value_len(const char *text)
{
    size_t len = 0;

    while ((is_visible(text[len]) || text[len] == ' ') && text[len] != ',' &&
           text[len] != '=') {
        len++;
    }
    while (len > 0 && text[len - 1] == ' ') {
        len--;
    }
    return len <= VALUE_MAX ? len : 0;
}

/* The end of the member at text, NULL if it is none. */
static const char *
skip_member(const char *text)
{
    size_t key = key_len(text);
    size_t value;

    if (key == 0 || text[key] != '=') {
        return NULL;
    }
    value = value_len(text + key + 1);
    return value == 0 ? NULL : text + key + 1 + value;
}

static const char *
skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static bool
is_tracestate(const char *text)
{
    size_t members = 0;
    const char *at = skip_blanks(text);

    if (strlen(text) > TRACE_CONTEXT_TRACESTATE_MAX_BYTES) {
        return false;
    }
    while (*at != '\0') {
        if (*at != ',') {
            at = skip_member(at);
            members++;
        }
        if (at == NULL || (*(at = skip_blanks(at)) != ',' && *at != '\0')) {
            return false;
        }
        at = skip_blanks(at + (*at == ','));
    }
    return members > 0 && members <= MEMBERS_MAX;
}

/* A tab between two members becomes a blank, so that the text needs fewer
   escapes. */
static void
copy_tracestate(char *to, const char *from)
{
    do {
        *to++ = *from == '\t' ? ' ' : *from;
    } while (*from++ != '\0');
}

static bool
is_request_id(const char *text)
{
    size_t len = 0;

    while (is_visible(text[len])) {
        len++;
    }
    return len > 0 && len <= TRACE_CONTEXT_REQUEST_ID_MAX_BYTES &&
           text[len] == '\0';
}

void
trace_context_read(struct trace_context *trace, const char *traceparent,
                   const char *tracestate, const char *request_id)
{
    trace->traceparent[0] = trace->tracestate[0] = trace->request_id[0] = '\0';
    if (traceparent != NULL && is_traceparent(traceparent)) {
        snprintf(trace->traceparent, sizeof(trace->traceparent), "00%.*s0%d",
                 FLAGS_AT - VERSION_LEN, traceparent + VERSION_LEN,
                 known_flags(traceparent));
        if (tracestate != NULL && is_tracestate(tracestate)) {
            copy_tracestate(trace->tracestate, tracestate);
        }
    }
    if (request_id != NULL && is_request_id(request_id)) {
        memcpy(trace->request_id, request_id, strlen(request_id) + 1);
    }
}

bool
trace_context_is_set(const struct trace_context *trace)
{
    return trace->traceparent[0] != '\0' || trace->request_id[0] != '\0';
}

bool
trace_context_is_sampled(const struct trace_context *trace)
{
    return trace->traceparent[0] != '\0' &&
           (known_flags(trace->traceparent) & FLAG_SAMPLED) != 0;
}

void
trace_context_trace_id(const struct trace_context *trace,
                       char trace_id[TRACE_CONTEXT_TRACE_ID_SIZE])
{
    snprintf(trace_id, TRACE_CONTEXT_TRACE_ID_SIZE, "%s",
             trace->traceparent + TRACE_ID_AT);
}

void
trace_context_span_id(const struct trace_context *trace,
                      char span_id[TRACE_CONTEXT_SPAN_ID_SIZE])
{
    snprintf(span_id, TRACE_CONTEXT_SPAN_ID_SIZE, "%s",
             trace->traceparent + SPAN_ID_AT);
}

void
trace_context_child(const struct trace_context *trace, const char *span_id,
                    char traceparent[TRACE_CONTEXT_TRACEPARENT_SIZE])
{
    snprintf(traceparent, TRACE_CONTEXT_TRACEPARENT_SIZE, "%.*s%.*s%s",
             SPAN_ID_AT, trace->traceparent, SPAN_ID_LEN, span_id,
             trace->traceparent + FLAGS_AT - 1);
}
