/*
 * A log line of keys and values, in one of two formats:
 *
 *   logfmt  ts=2026-01-02T03:04:05.678Z level=info msg="a text" count=7
 *   JSON    {"ts":"2026-01-02T03:04:05.678Z","level":"info",...,"count":7}
 *
 * A value of logfmt stands without quotes if it is printable ASCII without
 * blanks and " \ =. Otherwise it is a string of JSON (RFC 8259, 7), as in the
 * other format. So the same parser reads the values of both.
 *
 * No value can end its line, add a key or steer a terminal: control characters
 * (C0, DEL, C1), the separators of lines and paragraphs, and characters that
 * change the direction of text are shown as \u202e. A byte that is not UTF-8
 * (RFC 3629) is shown as \ufffd.
 */
#ifndef LOG_LINE_H
#define LOG_LINE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum log_format { LOG_LOGFMT, LOG_JSON };

enum {
    LOG_LINE_SIZE = PIPE_BUF, /* bytes of a line; with its newline */
    LOG_MESSAGE_MAX = 3072,   /* bytes of a message, escapes included */
};

struct log_line {
    enum log_format format;
    size_t len;
    char bytes[LOG_LINE_SIZE]; /* no NUL at the end */
};

/*
 * Begin a line, add keys, end it with a newline. A key has only small letters
 * and underscores. What does not fit is cut: a text behind a whole character, a
 * key with its value. A line that has ended is always whole. With a message of
 * LOG_MESSAGE_MAX, 900 bytes are left for keys.
 */
void log_line_begin(struct log_line *line, enum log_format format);
void log_line_text(struct log_line *line, const char *key, const char *value);
void log_line_number(struct log_line *line, const char *key, int64_t value);
void log_line_end(struct log_line *line);

/* Adds the key msg; the text always has quotes. */
void log_line_message(struct log_line *line, const char *text);

#endif
