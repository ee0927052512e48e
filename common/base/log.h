/*
 * The program's own log: one line per event, to stderr or syslog. No other
 * module has mutable global state. Leaf modules do not log: they keep the
 * reason of an error, and the caller that decides about the error logs it once.
 *
 * A line on stderr: 2026-01-02T03:04:05.678Z WARN verve-fcgi[123]: text
 */
#ifndef LOG_H
#define LOG_H

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_target { TARGET_STDERR, TARGET_SYSLOG };

/*
 * Sets the program's name (borrowed until exit), the destination of the log and
 * the lowest level that is logged. Before this call, lines of LEVEL_INFO and
 * above go to stderr without a name.
 */
void log_open(const char *program, enum log_target target,
              enum log_level level);

/*
 * Write one line and keep errno. If a text is too long, it is cut. Control
 * bytes are shown as \xHH, so that text from clients cannot forge a line.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
