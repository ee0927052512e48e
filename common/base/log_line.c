/*
 * log_line: everything is written into the line at once. Two bytes stay free
 * for the end of the line.
 */
#include "log_line.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    END_BYTES = sizeof("}\n") - 1,
    ESCAPE_SIZE = sizeof("\\u0000"),
    NUMBER_SIZE = sizeof("-9223372036854775808"),
};

static size_t
room(const struct log_line *line)
{
    return LOG_LINE_SIZE - END_BYTES - line->len;
}

/* The caller has looked at the room. */
static void
append(struct log_line *line, const char *bytes, size_t len)
{
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

/*
 * Reads a character of UTF-8. Returns its bytes, or 0 if they are not UTF-8:
 * RFC 3629, 3. A NUL is no byte that continues a character.
 */
static size_t
read_character(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t len = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;

    if (bytes[0] < 0x80) {
        *code = bytes[0];
        return 1;
    }
    *code = bytes[0] & (0x7FU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (bytes[i] & 0x3FU);
    }
    return bytes[0] < 0xC0 || bytes[0] > 0xF4 || *code < least[len] ||
                   (*code >= 0xD800 && *code <= 0xDFFF) || *code > 0x10FFFF
               ? 0
               : len;
}

/* Control characters, and those that move or turn other text: Unicode 15, 23.2
   and UAX #9. */
static bool
is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
           code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* Writes how a character of a JSON string is shown. "": as it is. */
static void
escape(char text[ESCAPE_SIZE], uint32_t code)
{
    static const char shorts[] = "\"\"\\\\\nn\rr\tt";

    text[0] = '\0';
    for (const char *pair = shorts; *pair != '\0'; pair += 2) {
        if (code == (unsigned char)*pair) {
            snprintf(text, ESCAPE_SIZE, "\\%c", pair[1]);
            return;
        }
    }
    if (is_control(code)) {
        snprintf(text, ESCAPE_SIZE, "\\u%04x", (unsigned)code & 0xFFFF);
    }
}

/* Appends a JSON string of at most max bytes, its quotes included. */
static void
append_string(struct log_line *line, const char *text, size_t max)
{
    size_t end = line->len + max - 1;

    append(line, "\"", 1);
    while (*text != '\0') {
        char escaped[ESCAPE_SIZE];
        uint32_t code;
        size_t len = read_character(text, &code);
        const char *shown = text;
        size_t shown_len = len;

        if (len == 0) {
            len = 1;
            shown = "\\ufffd";
            shown_len = strlen(shown);
        } else if (escape(escaped, code), escaped[0] != '\0') {
            shown = escaped;
            shown_len = strlen(escaped);
        }
        if (line->len + shown_len > end) {
            break;
        }
        append(line, shown, shown_len);
        text += len;
    }
    append(line, "\"", 1);
}

static bool
needs_quotes(const char *text)
{
    if (*text == '\0') {
        return true;
    }
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || strchr("\"\\=", *text) != NULL) {
            return true;
        }
    }
    return false;
}

/* Appends key and what separates it, if min bytes of a value fit behind that.
   False: they do not. */
static bool
append_key(struct log_line *line, const char *key, size_t min)
{
    char text[64];
    int len;

    if (line->format == LOG_JSON) {
        len = snprintf(text, sizeof(text),
                       "%s\"%s\":", line->len == 1 ? "" : ",", key);
    } else {
        len = snprintf(text, sizeof(text), "%s%s=", line->len == 0 ? "" : " ",
                       key);
    }
    if (len < 0 || (size_t)len >= sizeof(text) ||
        (size_t)len + min > room(line)) {
        return false;
    }
    append(line, text, (size_t)len);
    return true;
}

void
log_line_begin(struct log_line *line, enum log_format format)
{
    line->format = format;
    line->len = 0;
    if (format == LOG_JSON) {
        append(line, "{", 1);
    }
}

void
log_line_text(struct log_line *line, const char *key, const char *value)
{
    size_t len = strlen(value);

    if (line->format == LOG_LOGFMT && !needs_quotes(value)) {
        if (append_key(line, key, 1)) {
            append(line, value, len < room(line) ? len : room(line));
        }
    } else if (append_key(line, key, 2)) {
        append_string(line, value, room(line));
    }
}

void
log_line_message(struct log_line *line, const char *text)
{
    if (append_key(line, "msg", 2)) {
        append_string(line, text,
                      room(line) < LOG_MESSAGE_MAX ? room(line)
                                                   : LOG_MESSAGE_MAX);
    }
}

void
log_line_number(struct log_line *line, const char *key, int64_t value)
{
    char text[NUMBER_SIZE];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);

    if (append_key(line, key, (size_t)len)) {
        append(line, text, (size_t)len);
    }
}

void
log_line_end(struct log_line *line)
{
    if (line->format == LOG_JSON) {
        line->bytes[line->len++] = '}';
    }
    line->bytes[line->len++] = '\n';
}
