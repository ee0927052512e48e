/*
 * fcgi_record: is a FastCGI request complete and well-formed? The check is
 * stricter than the specification in two points that no web server needs: the
 * first record must begin a request, and the last parameter must end at the end
 * of the stream of parameters.
 */
#include "fcgi_record.h"

#include <stdbool.h>

/* FastCGI 1.0, 8: the header, and the record types before the body. */
enum {
    HEADER_BYTES = 8,
    VERSION = 1,
    BEGIN_REQUEST = 1,
    BEGIN_BODY_BYTES = 8,
    RESPONDER = 1,
    PARAMS = 4,
};

/* The stream of parameters: the state within a pair of name and value. */
struct pairs {
    uint8_t lengths[8]; /* the two lengths, of 1 or 4 bytes each */
    size_t held;        /* how many of these bytes have come */
    uint64_t left;      /* bytes of name and value that have not come yet */
};

/* The big-endian length at bytes, of 1 or 4 bytes (FastCGI 1.0, 3.4). */
static uint64_t
read_length(const uint8_t *bytes)
{
    if (bytes[0] < 0x80) {
        return bytes[0];
    }
    return (uint64_t)(bytes[0] & 0x7f) << 24 | (uint64_t)bytes[1] << 16 |
           (uint64_t)bytes[2] << 8 | bytes[3];
}

static size_t
length_bytes(uint8_t first)
{
    return first < 0x80 ? 1 : 4;
}

/* True if both lengths have come. */
static bool
has_lengths(const struct pairs *pairs)
{
    size_t first;

    if (pairs->held == 0) {
        return false;
    }
    first = length_bytes(pairs->lengths[0]);
    return pairs->held > first &&
           pairs->held == first + length_bytes(pairs->lengths[first]);
}

static void
feed(struct pairs *pairs, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        if (pairs->left > 0) {
            size_t n = pairs->left < len ? (size_t)pairs->left : len;

            pairs->left -= n;
            bytes += n;
            len -= n;
            continue;
        }
        pairs->lengths[pairs->held++] = *bytes++;
        len--;
        if (has_lengths(pairs)) {
            const uint8_t *second =
                pairs->lengths + length_bytes(pairs->lengths[0]);

            pairs->left = read_length(pairs->lengths) + read_length(second);
            pairs->held = 0;
        }
    }
}

static bool
begins(const uint8_t *bytes, size_t content)
{
    const uint8_t *body = bytes + HEADER_BYTES;

    return bytes[1] == BEGIN_REQUEST && content == BEGIN_BODY_BYTES &&
           body[0] == 0 && body[1] == RESPONDER;
}

enum fcgi_record_extent
fcgi_record_scan(const uint8_t *bytes, size_t len)
{
    struct pairs pairs = {0};
    const uint8_t *id = bytes + 2;
    size_t at = 0;

    while (len - at >= HEADER_BYTES) {
        const uint8_t *header = bytes + at;
        size_t content = (size_t)header[4] << 8 | header[5];
        size_t whole = HEADER_BYTES + content + header[6];

        if (header[0] != VERSION || header[2] != id[0] || header[3] != id[1]) {
            return FCGI_RECORD_BROKEN;
        }
        if (at > 0 && header[1] != PARAMS) {
            return FCGI_RECORD_BROKEN;
        }
        if (len - at < whole) {
            return FCGI_RECORD_PARTIAL;
        }
        if (at == 0) {
            if (!begins(header, content)) {
                return FCGI_RECORD_BROKEN;
            }
        } else if (content == 0) {
            return pairs.left == 0 && pairs.held == 0 ? FCGI_RECORD_WHOLE
                                                      : FCGI_RECORD_BROKEN;
        } else {
            feed(&pairs, header + HEADER_BYTES, content);
        }
        at += whole;
    }
    return FCGI_RECORD_PARTIAL;
}
