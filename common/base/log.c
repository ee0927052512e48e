/*
 * log: lines to stderr, syslog or a file. A line is one write(2) of at most
 * PIPE_BUF bytes, so that lines of several processes never mix in a pipe. If a
 * line cannot be written immediately, it is lost: the program never waits for
 * the reader of its log.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "line_file.h"
#include "line_write.h"
#include "rfc3339.h"

static struct {
    const char *program; /* NULL before log_open */
    enum log_format format;
    enum log_level level;
    bool to_syslog;
    struct line_file *file; /* NULL: another target */
} state = {.level = LEVEL_INFO};

static const char *const level_names[] = {
    [LEVEL_ERROR] = "error",
    [LEVEL_WARN] = "warn",
    [LEVEL_INFO] = "info",
    [LEVEL_DEBUG] = "debug",
};

static const int level_priorities[] = {
    [LEVEL_ERROR] = LOG_ERR,
    [LEVEL_WARN] = LOG_WARNING,
    [LEVEL_INFO] = LOG_INFO,
    [LEVEL_DEBUG] = LOG_DEBUG,
};

void
log_open(const char *program, const struct log_settings *settings)
{
    state.program = program;
    state.format = settings->format;
    state.level = settings->level;
    state.to_syslog = strcmp(settings->target, LOG_TARGET_SYSLOG) == 0;
    line_file_close(state.file);
    state.file = NULL;
    if (state.to_syslog) {
        openlog(program, LOG_PID, LOG_DAEMON);
    } else if (strcmp(settings->target, LOG_TARGET_STDERR) != 0) {
        /* Without memory for it, the log goes to stderr. */
        state.file = line_file_open(settings->target, O_WRONLY);
    }
}

void
log_release(void)
{
    if (state.file != NULL) {
        line_file_release(state.file);
    }
}

/* Writes the keys that syslog has outside of its texts. */
static void
add_head(struct log_line *line, enum log_level level)
{
    char time[RFC3339_SIZE];

    rfc3339_format_ms(time, clock_wall_ms());
    log_line_text(line, "ts", time);
    log_line_text(line, "level", level_names[level]);
    if (state.program != NULL) {
        log_line_text(line, "program", state.program);
        log_line_number(line, "pid", getpid());
    }
}

static void
put(const struct log_line *line)
{
    if (state.file == NULL || line_file_follow(state.file) < 0 ||
        line_file_write(state.file, line->bytes, line->len) < 0) {
        (void)!line_write(STDERR_FILENO, line->bytes, line->len);
    }
}

void
log_event(enum log_level level, const char *message,
          const struct log_field *fields)
{
    int saved = errno; /* callers may use errno after they logged */
    struct log_line line;

    if (level > state.level) {
        return;
    }
    log_line_begin(&line, state.format);
    if (!state.to_syslog) {
        add_head(&line, level);
    }
    log_line_message(&line, message);
    for (; fields->key != NULL; fields++) {
        if (fields->text != NULL) {
            log_line_text(&line, fields->key, fields->text);
        } else {
            log_line_number(&line, fields->key, fields->number);
        }
    }
    log_line_end(&line);
    if (state.to_syslog) {
        syslog(level_priorities[level], "%.*s", (int)line.len - 1, line.bytes);
    } else {
        put(&line);
    }
    errno = saved;
}

static void __attribute__((format(printf, 2, 0)))
log_words(enum log_level level, const char *format, va_list arguments)
{
    static const struct log_field none[] = {{.key = NULL}};
    char text[LOG_MESSAGE_MAX];
    int saved = errno;

    if (level <= state.level) {
        vsnprintf(text, sizeof(text), format, arguments);
        errno = saved;
        log_event(level, text, none);
    }
}

void
log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_words(LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

void
log_warn(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_words(LEVEL_WARN, format, arguments);
    va_end(arguments);
}

void
log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_words(LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void
log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_words(LEVEL_DEBUG, format, arguments);
    va_end(arguments);
}
