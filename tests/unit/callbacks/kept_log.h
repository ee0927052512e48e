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
