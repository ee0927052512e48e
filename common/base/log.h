/*
 * The program's own log: one line per event, to stderr, to syslog or to a file,
 * in a format of log_line.h. No other module has mutable global state. Leaf
 * modules do not log: they keep the reason of an error, and the caller that
 * decides about the error logs it once.
 *
 * ts=2026-01-02T03:04:05.678Z level=warn program=verve-fcgi pid=123 msg="text"
 *
 * In syslog a message has the time, the level, the program and its process id
 * outside of its text, which begins with the key msg.
 */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>

#include "log_line.h"

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

/* The targets that are not the absolute path of a file. */
#define LOG_TARGET_STDERR "stderr"
#define LOG_TARGET_SYSLOG "syslog"

struct log_settings {
    const char *target; /* LOG_TARGET_STDERR, LOG_TARGET_SYSLOG or a path */
    enum log_format format;
    enum log_level level; /* the lowest that is logged */
};

/*
 * Sets the program's name (borrowed until exit) and the settings (their target
 * is copied). Before this call, lines of LEVEL_INFO and above go to stderr as
 * logfmt, without a name.
 *
 * A file is opened by its path before each line if it was moved or removed, so
 * several programs and a rotation may share it. While it can't be written (the
 * disk is full, the folder is gone), lines go to stderr.
 */
void log_open(const char *program, const struct log_settings *settings);

/* Closes the file of the log until the next line; for after a rotation. */
void log_release(void);

/* A key with a text or a number. */
struct log_field {
    const char *key;
    const char *text; /* NULL: the number */
    int64_t number;
};

#define LOG_TEXT(key_, text_)                                                  \
    {                                                                          \
        .key = (key_), .text = (text_)                                         \
    }
#define LOG_NUMBER(key_, number_)                                              \
    {                                                                          \
        .key = (key_), .number = (number_)                                     \
    }
#define LOG_FIELDS(...)                                                        \
    (const struct log_field[])                                                 \
    {                                                                          \
        __VA_ARGS__,                                                           \
        {                                                                      \
            .key = NULL                                                        \
        }                                                                      \
    }

/*
 * Writes one line: what has happened, in words that are the same each time, and
 * LOG_FIELDS of its own, whose keys say the unit. Keeps errno.
 *
 *     log_event(LEVEL_WARN, "the circuit breaker opens",
 *               LOG_FIELDS(LOG_TEXT("host", host), LOG_NUMBER("open_s", 30)));
 */
void log_event(enum log_level level, const char *message,
               const struct log_field *fields);

/* Write one line without fields. Keep errno. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
