/*
 * The end of a report file: the window of its last record, and where its last
 * whole line ends.
 */
#ifndef FILE_TAIL_H
#define FILE_TAIL_H

#include <stdint.h>
#include <sys/types.h>

/* How much of the end is read. */
enum { FILE_TAIL_BYTES = 64 * 1024 };

struct file_tail {
    off_t size;     /* of the file */
    off_t whole;    /* size of its whole lines: less than size if the last line
                       is torn */
    int64_t last_s; /* start of the window of the last record; 0: none */
    int64_t future_window_s; /* start of an implausible window after last_s, see
                                file_tail_read; 0: none */
};

/*
 * Reads the tail of the file at fd. Records of windows from implausible_from_s
 * on are skipped (see window_closer_implausible_from_s): they were written by
 * hand or by a wrong clock. If implausible_from_s is 0, no record is skipped.
 * 0, or -1 (errno): EMEDIUMTYPE if it is not a file of lines.
 */
int file_tail_read(int fd, int64_t implausible_from_s, struct file_tail *tail);

#endif
