/*
 * fcgi_record: libfcgi's own reader takes up to 8 KB from a connection, throws
 * away what is behind the request, and blocks on a request that is not whole.
 * On a kept connection the next request would be lost. Hence this parser;
 * libfcgi has the protocol's numbers (fastcgi.h) and looks parameters up.
 */
#include "fcgi_record.h"

#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_FIRST_BYTES = 4096, STRINGS_FIRST = 64 };

static uint16_t
read_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Whether a record may come now, by its header. */
static enum fcgi_record_result
check_header(const struct fcgi_record_parser *parser)
{
    const uint8_t *header = parser->header;
    uint16_t id = read_u16(header + 2);
    bool ours = id == parser->id;

    if (header[0] != FCGI_VERSION_1 || id == 0) {
        return FCGI_RECORD_BROKEN;
    }
    switch (header[1]) {
    case FCGI_BEGIN_REQUEST:
        if (parser->phase == FCGI_RECORD_PARAMS ||
            read_u16(header + 4) != sizeof(FCGI_BeginRequestBody)) {
            return FCGI_RECORD_BROKEN;
        }
        if (!parser->open) {
            return FCGI_RECORD_MORE;
        }
        return ours && parser->phase == FCGI_RECORD_BETWEEN
                   ? FCGI_RECORD_NEXT
                   : FCGI_RECORD_BROKEN;
    case FCGI_PARAMS:
        return ours && parser->phase == FCGI_RECORD_PARAMS ? FCGI_RECORD_MORE
                                                           : FCGI_RECORD_BROKEN;
    case FCGI_STDIN:
        /* Also behind the body's end, which costs nothing to pass over. */
        return ours && parser->phase != FCGI_RECORD_PARAMS ? FCGI_RECORD_MORE
                                                           : FCGI_RECORD_BROKEN;
    case FCGI_ABORT_REQUEST:
        /* Of an answered request it comes too late, and changes nothing. */
        return ours && parser->phase != FCGI_RECORD_PARAMS && !parser->open
                   ? FCGI_RECORD_MORE
                   : FCGI_RECORD_BROKEN;
    default:
        return FCGI_RECORD_BROKEN;
    }
}

/* Copies what is missing of size bytes at to; returns how many it took. */
static size_t
fill(uint8_t *to, size_t held, size_t size, const uint8_t *bytes, size_t len)
{
    size_t n = size - held < len ? size - held : len;

    memcpy(to + held, bytes, n);
    return n;
}

/* Adds to the stream of the parameters. False: too much of it, or no memory. */
static bool
add_params(struct fcgi_record_parser *parser, const uint8_t *bytes, size_t len)
{
    size_t needed = parser->params_len + len;
    size_t size = parser->params_size;
    char *params;

    if (needed > FCGI_RECORD_PARAMS_MAX_BYTES) {
        return false;
    }
    if (needed > size) {
        for (size = size > 0 ? size : PARAMS_FIRST_BYTES; size < needed;) {
            size *= 2;
        }
        params = realloc(parser->params, size);
        if (params == NULL) {
            return false;
        }
        parser->params = params;
        parser->params_size = size;
    }
    memcpy(parser->params + parser->params_len, bytes, len);
    parser->params_len = needed;
    return true;
}

/* Takes content of the current record. */
static enum fcgi_record_result
take_content(struct fcgi_record_parser *parser, const uint8_t *bytes,
             size_t len)
{
    size_t held = sizeof(parser->begin) - parser->content;

    switch (parser->header[1]) {
    case FCGI_BEGIN_REQUEST:
        memcpy(parser->begin + held, bytes, len);
        break;
    case FCGI_PARAMS:
        if (!add_params(parser, bytes, len)) {
            return FCGI_RECORD_BROKEN;
        }
        break;
    default:
        break; /* a body, of no interest here */
    }
    parser->content = (uint16_t)(parser->content - len);
    return FCGI_RECORD_MORE;
}

/* The content of a record is whole: what that means for its request. */
static enum fcgi_record_result
end_content(struct fcgi_record_parser *parser)
{
    bool empty = read_u16(parser->header + 4) == 0;

    switch (parser->header[1]) {
    case FCGI_BEGIN_REQUEST:
        if (read_u16(parser->begin) != FCGI_RESPONDER) {
            return FCGI_RECORD_BROKEN;
        }
        parser->id = read_u16(parser->header + 2);
        parser->keep = (parser->begin[2] & FCGI_KEEP_CONN) != 0;
        parser->params_len = 0;
        parser->phase = FCGI_RECORD_PARAMS;
        return FCGI_RECORD_MORE;
    case FCGI_PARAMS:
        if (!empty) {
            return FCGI_RECORD_MORE;
        }
        parser->phase = FCGI_RECORD_BODY;
        parser->open = true;
        return FCGI_RECORD_REQUEST;
    default:
        if (empty) {
            parser->phase = FCGI_RECORD_BETWEEN;
        }
        return FCGI_RECORD_MORE;
    }
}

/* A header is whole: begins its record. */
static enum fcgi_record_result
begin_record(struct fcgi_record_parser *parser)
{
    enum fcgi_record_result result = check_header(parser);

    if (result == FCGI_RECORD_MORE) {
        parser->header_held = 0;
        parser->content = read_u16(parser->header + 4);
        parser->padding = parser->header[6];
        if (parser->content == 0) {
            return end_content(parser);
        }
    }
    return result;
}

/* Takes a piece: of padding, of content or of a header. */
static enum fcgi_record_result
take(struct fcgi_record_parser *parser, const uint8_t *bytes, size_t len,
     size_t *taken)
{
    enum fcgi_record_result result;

    if (parser->content > 0) {
        *taken = parser->content < len ? parser->content : len;
        result = take_content(parser, bytes, *taken);
        return result == FCGI_RECORD_MORE && parser->content == 0
                   ? end_content(parser)
                   : result;
    }
    if (parser->padding > 0) {
        *taken = parser->padding < len ? parser->padding : len;
        parser->padding = (uint8_t)(parser->padding - *taken);
        return FCGI_RECORD_MORE;
    }
    *taken = fill(parser->header, parser->header_held, FCGI_RECORD_HEADER_BYTES,
                  bytes, len);
    parser->header_held = (uint8_t)(parser->header_held + *taken);
    return parser->header_held == FCGI_RECORD_HEADER_BYTES
               ? begin_record(parser)
               : FCGI_RECORD_MORE;
}

enum fcgi_record_result
fcgi_record_feed(struct fcgi_record_parser *parser, const uint8_t *bytes,
                 size_t len, size_t *used)
{
    enum fcgi_record_result result = FCGI_RECORD_MORE;

    *used = 0;
    if (parser->header_held == FCGI_RECORD_HEADER_BYTES) {
        result = begin_record(parser); /* after FCGI_RECORD_NEXT */
    }
    while (result == FCGI_RECORD_MORE && *used < len) {
        size_t taken = 0;

        result = take(parser, bytes + *used, len - *used, &taken);
        *used += taken;
    }
    return result;
}

void
fcgi_record_answered(struct fcgi_record_parser *parser)
{
    parser->open = false;
}

bool
fcgi_record_is_partial(const struct fcgi_record_parser *parser)
{
    return parser->phase == FCGI_RECORD_PARAMS || parser->header_held > 0 ||
           parser->content > 0;
}

/*
 * Reads a length of 1 or 4 bytes (section 3.4) at *at, and moves *at behind
 * it. False if the stream ends before.
 */
static bool
read_length(const struct fcgi_record_parser *parser, size_t *at, size_t *length)
{
    const uint8_t *bytes = (const uint8_t *)parser->params + *at;
    size_t left = parser->params_len - *at;

    if (left >= 1 && bytes[0] < 0x80) {
        *length = bytes[0];
        *at += 1;
        return true;
    }
    if (left < 4) {
        return false;
    }
    *length = (size_t)(bytes[0] & 0x7f) << 24 | (size_t)bytes[1] << 16 |
              (size_t)bytes[2] << 8 | bytes[3];
    *at += 4;
    return true;
}

/* Room for one more string and the NULL behind the last. */
static bool
reserve_string(struct fcgi_record_environment *environment, size_t count)
{
    size_t size = environment->strings_size;
    char **strings;

    if (count + 2 <= size) {
        return true;
    }
    size = size > 0 ? 2 * size : STRINGS_FIRST;
    strings = realloc(environment->strings, size * sizeof(*strings));
    if (strings == NULL) {
        return false;
    }
    environment->strings = strings;
    environment->strings_size = size;
    return true;
}

/*
 * Room for all strings: each has '=' and NUL in place of its two lengths, which
 * are at least as long.
 */
static bool
reserve_bytes(struct fcgi_record_environment *environment, size_t needed)
{
    if (needed > environment->bytes_size) {
        char *bytes = realloc(environment->bytes, needed);

        if (bytes == NULL) {
            return false;
        }
        environment->bytes = bytes;
        environment->bytes_size = needed;
    }
    return true;
}

int
fcgi_record_read_params(const struct fcgi_record_parser *parser,
                        struct fcgi_record_environment *environment)
{
    size_t count = 0, at = 0;
    char *to;

    if (!reserve_bytes(environment, parser->params_len + 1) ||
        !reserve_string(environment, 0)) {
        return -1;
    }
    to = environment->bytes;
    while (at < parser->params_len) {
        size_t name, value;

        if (!read_length(parser, &at, &name) ||
            !read_length(parser, &at, &value) ||
            name + value > parser->params_len - at ||
            !reserve_string(environment, count)) {
            return -1;
        }
        environment->strings[count++] = to;
        memcpy(to, parser->params + at, name);
        to += name;
        *to++ = '=';
        memcpy(to, parser->params + at + name, value);
        to += value;
        *to++ = '\0';
        at += name + value;
    }
    environment->strings[count] = NULL;
    return 0;
}

void
fcgi_record_environment_fini(struct fcgi_record_environment *environment)
{
    free(environment->strings);
    free(environment->bytes);
    memset(environment, 0, sizeof(*environment));
}

static uint8_t *
put_header(uint8_t *to, uint8_t type, uint16_t id, size_t content)
{
    size_t padding = -content & 7;

    *to++ = FCGI_VERSION_1;
    *to++ = type;
    *to++ = (uint8_t)(id >> 8);
    *to++ = (uint8_t)id;
    *to++ = (uint8_t)(content >> 8);
    *to++ = (uint8_t)content;
    *to++ = (uint8_t)padding;
    *to++ = 0;
    return to;
}

size_t
fcgi_record_frame(const struct fcgi_record_parser *parser, uint8_t *records,
                  size_t len)
{
    /* An application status of 0 and FCGI_REQUEST_COMPLETE (section 5.5). */
    static const uint8_t end[sizeof(FCGI_EndRequestBody)];
    size_t padding = -len & 7;
    uint8_t *to = put_header(records, FCGI_STDOUT, parser->id, len) + len;

    memset(to, 0, padding);
    to = put_header(to + padding, FCGI_STDOUT, parser->id, 0);
    to = put_header(to, FCGI_END_REQUEST, parser->id, sizeof(end));
    memcpy(to, end, sizeof(end));
    return (size_t)(to + sizeof(end) - records);
}
