/*
 * A log that keeps its last lines, in place of common/base/log.c: for tests of
 * modules whose lines depend on a clock.
 */
#ifndef KEPT_LOG_H
#define KEPT_LOG_H

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

enum { KEPT_LINES = 128 };

static char kept_log[KEPT_LINES][512];
static int kept_lines;

static void __attribute__((format(printf, 2, 0)))
kept_log_add(const char *level, const char *format, va_list arguments)
{
    char *line = kept_log[kept_lines++ % KEPT_LINES];
    int len = snprintf(line, sizeof(kept_log[0]), "%s ", level);

    vsnprintf(line + len, sizeof(kept_log[0]) - (size_t)len, format, arguments);
}

void
log_event(enum log_level level, const char *message,
          const struct log_field *fields)
{
    static const char *const levels[] = {"ERROR", "WARN", "INFO"};
    struct log_line line;

    log_line_begin(&line, LOG_LOGFMT);
    log_line_message(&line, message);
    for (; fields->key != NULL; fields++) {
        if (fields->text != NULL) {
            log_line_text(&line, fields->key, fields->text);
        } else {
            log_line_number(&line, fields->key, fields->number);
        }
    }
    snprintf(kept_log[kept_lines++ % KEPT_LINES], sizeof(kept_log[0]),
             "%s %.*s", levels[level], (int)line.len, line.bytes);
}

#define KEPT_LOG(name, level)                                                  \
    void name(const char *format, ...)                                         \
    {                                                                          \
        va_list arguments;                                                     \
                                                                               \
        va_start(arguments, format);                                           \
        kept_log_add(level, format, arguments);                                \
        va_end(arguments);                                                     \
    }

KEPT_LOG(log_error, "ERROR")
KEPT_LOG(log_warn, "WARN")
KEPT_LOG(log_info, "INFO")

#endif
