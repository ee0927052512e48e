/*
 * The end of a file of records: which window its last record is of, and where
 * its last whole line ends.
 */
#ifndef FILE_TAIL_H
#define FILE_TAIL_H

#include <stdint.h>
#include <sys/types.h>

/* How much of the end is looked at. */
enum { FILE_TAIL_BYTES = 64 * 1024 };

struct file_tail {
    off_t size;     /* of the file */
    off_t whole;    /* of its whole lines: less than size where one is torn */
    int64_t last_s; /* start of the window of its last record; 0: none */
    int64_t future_window_s; /* of one behind that, which can't be: see
                                file_tail_read */
};

/*
 * Reads the tail of the file at fd. Records of windows from implausible_from_s
 * on are passed over, as these can't be (see window_closer_implausible_from_s):
 * a hand wrote them, or a wrong clock; 0: none is. 0, or -1 (errno):
 * EMEDIUMTYPE where it is no file of lines.
 */
int file_tail_read(int fd, int64_t implausible_from_s, struct file_tail *tail);

#endif
