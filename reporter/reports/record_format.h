/*
 * The words of a window's record: one line of text, JSON, or a message for
 * syslog, as the report contract has them. Pure; and reads back from the first
 * two which window it is of.
 */
#ifndef RECORD_FORMAT_H
#define RECORD_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "store/window_closer.h"

/* Size of a buffer for the longest record, with a newline or NUL. */
enum { RECORD_FORMAT_SIZE = 256 };

/*
 * Writes the line that people read, without its newline; now_ms is the wall
 * time that it starts with. Returns its length.
 */
size_t record_format_text(char text[RECORD_FORMAT_SIZE],
                          const struct window_record *record, int64_t now_ms);

/* Writes the JSON object. Returns its length, 0 where there is no memory. */
size_t record_format_json(char json[RECORD_FORMAT_SIZE],
                          const struct window_record *record);

/*
 * Writes the message for syslog, which has time and level of its own: the
 * words of the text, then what the JSON says, as name=value. Returns its
 * length.
 */
size_t record_format_syslog(char text[RECORD_FORMAT_SIZE],
                            const struct window_record *record);

/*
 * Finds which window line[0..len) is a record of, whichever of the two it is.
 * 0, or -1 where it is neither.
 */
int record_format_window(const char *line, size_t len, int64_t *start_s);

#endif
