/*
 * A line to a descriptor that the program may share with other programs, such
 * as its stderr: the descriptor's flags are not ours to change.
 */
#ifndef LINE_WRITE_H
#define LINE_WRITE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes line[0..len) by one write(2), unless that would wait, for example for
 * the reader of a full pipe. A line of at most PIPE_BUF bytes is not mixed with
 * those of other writers: pipe(7). Returns how many bytes were written, or -1
 * (errno): EAGAIN if there is no room now. If another process fills a pipe
 * between the look and the write, the write waits; a descriptor with O_NONBLOCK
 * never does.
 */
ssize_t line_write(int fd, const char *line, size_t len);

#endif
