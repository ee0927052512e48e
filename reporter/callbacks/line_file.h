/*
 * A log file that other programs may rotate: opened by path, and again on HUP.
 * Each line is one write(2); nothing is buffered, and nothing blocks. If the
 * file is a FIFO without a reader, writing a line is an error.
 */
#ifndef LINE_FILE_H
#define LINE_FILE_H

#include <stddef.h>

struct line_file;

/*
 * Opens path for appending; a new file has mode 0640. NULL: no memory. A file
 * that cannot be opened is no error: each line tries again.
 */
struct line_file *line_file_open(const char *path);
void line_file_close(struct line_file *file);

/* Opens the path again, after a rotation. */
void line_file_reopen(struct line_file *file);

/* Appends line[0..len), which ends with a newline. 0, or -1 (errno). */
int line_file_write(struct line_file *file, const char *line, size_t len);

#endif
