/*
 * log: lines to stderr or syslog. A line is one write(2) of at most PIPE_BUF
 * bytes, so that lines of several processes never mix in a pipe. If a line
 * cannot be written immediately, it is lost: the program never waits for the
 * reader of its log.
 */
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "line_write.h"
#include "rfc3339.h"

enum {
    LINE_SIZE = PIPE_BUF, /* bytes of a line; a longer line is cut */
    TEXT_SIZE = 3072,     /* bytes of a text before the escapes */
    ESCAPED_BYTES = 4,    /* \xHH */
};

static struct {
    const char *program; /* NULL before log_open */
    enum log_target target;
    enum log_level level;
} state = {.target = TARGET_STDERR, .level = LEVEL_INFO};

static const char *const level_names[] = {
    [LEVEL_ERROR] = "ERROR",
    [LEVEL_WARN] = "WARN",
    [LEVEL_INFO] = "INFO",
    [LEVEL_DEBUG] = "DEBUG",
};

static const int level_priorities[] = {
    [LEVEL_ERROR] = LOG_ERR,
    [LEVEL_WARN] = LOG_WARNING,
    [LEVEL_INFO] = LOG_INFO,
    [LEVEL_DEBUG] = LOG_DEBUG,
};

void
log_open(const char *program, enum log_target target, enum log_level level)
{
    state.program = program;
    state.target = target;
    state.level = level;
    if (target == TARGET_SYSLOG) {
        openlog(program, LOG_PID, LOG_DAEMON);
    }
}

/* Writes time, level and program into line. Returns the length. */
static size_t
write_head(char line[LINE_SIZE], enum log_level level)
{
    char time[RFC3339_SIZE];
    int len;

    rfc3339_format_ms(time, clock_wall_ms());
    if (state.program == NULL) {
        len = snprintf(line, LINE_SIZE, "%s %s ", time, level_names[level]);
    } else {
        len = snprintf(line, LINE_SIZE, "%s %s %.64s[%d]: ", time,
                       level_names[level], state.program, (int)getpid());
    }
    return (size_t)len;
}

/*
 * Appends text to line at len, with control bytes as \xHH. If text is too long,
 * it is cut: a newline and a NUL always fit behind it. Returns the new length.
 */
static size_t
append_escaped(char line[LINE_SIZE], size_t len, const char *text)
{
    for (; *text != '\0' && len + ESCAPED_BYTES + 2 <= LINE_SIZE; text++) {
        unsigned char byte = (unsigned char)*text;

        if (iscntrl(byte)) {
            len += (size_t)sprintf(line + len, "\\x%02X", byte);
        } else {
            line[len++] = *text;
        }
    }
    line[len] = '\0';
    return len;
}

static void
write_stderr(enum log_level level, const char *text)
{
    char line[LINE_SIZE];
    size_t len = append_escaped(line, write_head(line, level), text);

    line[len++] = '\n';
    (void)!line_write(STDERR_FILENO, line, len);
}

static void
write_syslog(enum log_level level, const char *text)
{
    char line[LINE_SIZE];

    append_escaped(line, 0, text);
    syslog(level_priorities[level], "%s", line);
}

static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *format, va_list arguments)
{
    int saved = errno; /* callers may use errno after they logged */
    char text[TEXT_SIZE];

    if (level > state.level) {
        return;
    }
    vsnprintf(text, sizeof(text), format, arguments);
    if (state.target == TARGET_SYSLOG) {
        write_syslog(level, text);
    } else {
        write_stderr(level, text);
    }
    errno = saved;
}

void
log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

void
log_warn(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LEVEL_WARN, format, arguments);
    va_end(arguments);
}

void
log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void
log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LEVEL_DEBUG, format, arguments);
    va_end(arguments);
}
