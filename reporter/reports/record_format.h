/*
 * The formats of a window's record: a line of text, JSON, and a message for
 * syslog (docs/reports.md). The window of a line in the first two formats can
 * be read back. Pure.
 */
#ifndef RECORD_FORMAT_H
#define RECORD_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "store/window_closer.h"

/* Size of a buffer for the longest record, with a newline or NUL. */
enum { RECORD_FORMAT_SIZE = 256 };

/*
 * Writes the line of text without its newline. It starts with now_ms, the wall
 * time. Returns the length.
 */
size_t record_format_text(char text[RECORD_FORMAT_SIZE],
                          const struct window_record *record, int64_t now_ms);

/* Writes the JSON object. Returns the length, 0: no memory. */
size_t record_format_json(char json[RECORD_FORMAT_SIZE],
                          const struct window_record *record);

/*
 * Writes the message for syslog, without time and level, because syslog has
 * fields for them: the words of the text, then the fields of the JSON as
 * name=value. Returns the length.
 */
size_t record_format_syslog(char text[RECORD_FORMAT_SIZE],
                            const struct window_record *record);

/*
 * Sets *start_s to the window of the record in line[0..len), which is text or
 * JSON. 0, or -1 if the line is no record.
 */
int record_format_window(const char *line, size_t len, int64_t *start_s);

#endif
