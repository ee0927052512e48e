/*
 * A file that lines are appended to and that others rotate: opened by path,
 * opened again on HUP, each line one write. It holds no lines back, and waits
 * for nobody: where it is a FIFO, lines without a reader are errors.
 */
#ifndef LINE_FILE_H
#define LINE_FILE_H

#include <stddef.h>

struct line_file;

/*
 * Opens path for appending, creating it with mode 0640. Returns NULL only for
 * want of memory: a file that can't be opened is tried again at each line.
 */
struct line_file *line_file_open(const char *path);
void line_file_close(struct line_file *file);

/* Opens the path anew, as after a rotation. */
void line_file_reopen(struct line_file *file);

/* Appends line[0..len), which ends in a newline. 0, or -1 (errno). */
int line_file_write(struct line_file *file, const char *line, size_t len);

#endif
