/*
 * A file of lines that is opened by its path: a log that other programs move or
 * remove, or the program's own stdout or stderr (/dev/stdout). Each line is one
 * write(2); nothing is buffered, and nothing blocks.
 *
 * A standard stream may be a pipe, a socket (of journald), a terminal, or a
 * file that all who write to the same stream share. It is never cut, locked or
 * read. A path in any other folder than /dev or /proc that leads to a regular
 * file means that file, even if it is the program's stdout.
 */
#ifndef LINE_FILE_H
#define LINE_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct line_file;

/*
 * access is O_WRONLY or O_RDWR, for a file that is read back. Opens nothing
 * yet: see line_file_follow. NULL: no memory.
 */
struct line_file *line_file_open(const char *path, int access);
void line_file_close(struct line_file *file);

/*
 * Opens the path unless it is open and still names that file, which may have
 * been moved or removed since. A new file has mode 0640. 0: the same file is
 * open; 1: the path was opened; -1 (errno): it can't be, and no file is open.
 * A FIFO without a reader can't be opened (ENXIO).
 */
int line_file_follow(struct line_file *file);

/* Whether the open file is still the one at the path. */
bool line_file_is_current(const struct line_file *file);

/* Closes the file; the next line_file_follow opens the path again. */
void line_file_release(struct line_file *file);

/* The descriptor, which belongs to the file; -1: it is not open. */
int line_file_fd(const struct line_file *file);

/* Whether the open file is the program's stdout or stderr. */
bool line_file_is_standard(const struct line_file *file);

/* Whether the path would be that. */
bool line_file_names_standard(const char *path);

/*
 * Appends line[0..len), which ends with a newline, to the file that
 * line_file_follow has opened. 0, or -1 (errno): EAGAIN if a pipe is full.
 */
int line_file_write(struct line_file *file, const char *line, size_t len);

/* The text of an errno of these functions. */
const char *line_file_strerror(int error);

#endif
