/*
 * answer: each call reads the response from its start, because a response
 * nearly always arrives in one piece. So there is no state to keep.
 */
#define _GNU_SOURCE /* memmem */
#include "answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"

enum { MALFORMED = -1, MORE = 0, CHUNK_MAX = 1 << 20 };

struct head {
    int64_t content_length; /* -1: not given */
    bool chunked;
};

static const char *
line_end(const char *at, const char *end)
{
    return memmem(at, end - at, "\r\n", 2);
}

static void
copy_word(char *to, size_t size, const char *from, size_t len)
{
    size_t n = 0;

    while (n < len && n < size - 1 && from[n] > ' ' && from[n] < 0x7f) {
        n++;
    }
    if (n == 0) {
        snprintf(to, size, "-");
    } else {
        snprintf(to, size, "%.*s", (int)n, from);
    }
}

static bool
is_header(const char *line, size_t name_len, const char *name)
{
    return strlen(name) == name_len && strncasecmp(line, name, name_len) == 0;
}

/* Reads one header line into head and answer. False: malformed. */
static bool
read_header(const char *line, size_t len, struct head *head,
            struct answer *answer)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len;
    const char *value;
    size_t value_len;

    if (!colon) {
        return false;
    }
    name_len = colon - line;
    value = colon + 1;
    while (value < line + len && *value == ' ') {
        value++;
    }
    value_len = line + len - value;
    if (is_header(line, name_len, "Content-Length")) {
        return decimal_parse(value, value_len, &head->content_length) &&
               head->content_length >= 0;
    }
    if (is_header(line, name_len, "Transfer-Encoding")) {
        head->chunked = value_len == 7 && !strncasecmp(value, "chunked", 7);
    } else if (is_header(line, name_len, "Connection")) {
        answer->close = value_len == 5 && !strncasecmp(value, "close", 5);
    } else if (is_header(line, name_len, "Verve-Window")) {
        copy_word(answer->window, sizeof(answer->window), value, value_len);
    }
    return true;
}

static bool
read_status(const char *line, size_t len, struct answer *answer)
{
    int64_t status;

    if (len < 12 || memcmp(line, "HTTP/1.1 ", 9) != 0 ||
        !decimal_parse(line + 9, 3, &status)) {
        return false;
    }
    answer->status = (int)status;
    return true;
}

/* Reads all header lines; the empty line after them ends at `end`. */
static bool
read_head(const char *at, const char *end, struct head *head,
          struct answer *answer)
{
    const char *eol = line_end(at, end);

    if (!read_status(at, eol - at, answer)) {
        return false;
    }
    for (at = eol + 2; (eol = line_end(at, end)) != at; at = eol + 2) {
        if (!read_header(at, eol - at, head, answer)) {
            return false;
        }
    }
    return true;
}

/* Reads the size in a chunk's line; -1 if the line has none. */
static int64_t
chunk_size(const char *line, const char *eol)
{
    int64_t size = 0;
    unsigned digit;
    char text[2] = "";

    for (; line < eol && *line != ';'; line++) {
        text[0] = *line;
        if (sscanf(text, "%1x", &digit) != 1 || size > CHUNK_MAX) {
            return -1;
        }
        size = size * 16 + digit;
    }
    return size;
}

/*
 * Reads a chunked body (RFC 9112, 7.1) without trailers. The word is that of
 * the first chunk. Returns as answer_parse does, counted from at.
 */
static int64_t
read_chunks(const char *at, const char *end, struct answer *answer)
{
    const char *begin = at;
    const char *eol;
    int64_t size;

    while ((eol = line_end(at, end))) {
        size = chunk_size(at, eol);
        if (size < 0) {
            return MALFORMED;
        }
        if (end - (eol + 2) < size + 2) {
            return MORE;
        }
        if (memcmp(eol + 2 + size, "\r\n", 2) != 0) {
            return MALFORMED;
        }
        if (answer->body_len == 0) {
            copy_word(answer->word, sizeof(answer->word), eol + 2, size);
        }
        answer->body_len += size;
        at = eol + 2 + size + 2;
        if (size == 0) {
            return at - begin;
        }
    }
    return MORE;
}

int64_t
answer_parse(const char *bytes, size_t len, struct answer *answer)
{
    const char *body = memmem(bytes, len, "\r\n\r\n", 4);
    struct head head = {.content_length = -1};
    int64_t body_len;

    if (!body) {
        return MORE;
    }
    body += 4;
    *answer = (struct answer){.window = "-", .word = "-"};
    if (!read_head(bytes, body, &head, answer)) {
        return MALFORMED;
    }
    if (head.chunked) {
        body_len = read_chunks(body, bytes + len, answer);
        return body_len > 0 ? body - bytes + body_len : body_len;
    }
    if (head.content_length < 0) {
        return MALFORMED;
    }
    if (bytes + len - body < head.content_length) {
        return MORE;
    }
    answer->body_len = head.content_length;
    copy_word(answer->word, sizeof(answer->word), body, answer->body_len);
    return body - bytes + head.content_length;
}
