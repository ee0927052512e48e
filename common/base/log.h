/*
 * The program's own log: one line an event, to stderr or syslog. This is the
 * only module with mutable state of its own. Leaf modules do not log; they
 * keep the reason and their caller, who decides, logs once.
 *
 * A line on stderr: 2026-01-02T03:04:05.678Z WARN verve-fcgi[123]: text
 */
#ifndef LOG_H
#define LOG_H

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_target { TARGET_STDERR, TARGET_SYSLOG };

/*
 * Names the program (borrowed for ever) and says what is written where. Until
 * it is called, lines of LEVEL_INFO and above go to stderr without a name.
 */
void log_open(const char *program, enum log_target target,
              enum log_level level);

/*
 * Write one line; a text that is too long is cut. Control bytes are shown as
 * \xHH, so that nothing from outside can forge a line.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
