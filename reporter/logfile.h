/*
 * A file that lines are appended to and that others rotate: opened by path,
 * opened again on HUP, each line one write. It holds no lines back, and waits
 * for nobody: where it is a FIFO, lines without a reader are errors.
 */
#ifndef LOGFILE_H
#define LOGFILE_H

#include <stddef.h>

struct logfile;

/*
 * Opens path for appending, creating it with mode 0640. Returns NULL only for
 * want of memory: a file that can't be opened is tried again at each line.
 */
struct logfile *logfile_open(const char *path);
void logfile_close(struct logfile *logfile);

/* Opens the path anew, as after a rotation. */
void logfile_reopen(struct logfile *logfile);

/* Appends line[0..len), which ends in a newline. 0, or -1 (errno). */
int logfile_write(struct logfile *logfile, const char *line, size_t len);

#endif
