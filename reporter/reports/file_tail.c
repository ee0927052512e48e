/*
 * file_tail: reads the end of a file backwards, line by line. Lines that are no
 * records are skipped: an operator may have written some.
 */
#define _GNU_SOURCE /* memrchr */
#include "file_tail.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record_format.h"

/* Reads up to len bytes from offset on. Returns how many were read, or -1. */
static ssize_t
read_at(int fd, char *bytes, size_t len, off_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, bytes + done, len - done, offset + (off_t)done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Finds the last record in lines[0..len), which ends with a newline. */
static void
find_last(const char *lines, size_t len, int64_t implausible_from_s,
          struct file_tail *tail)
{
    tail->last_s = 0;
    tail->future_window_s = 0;
    while (len > 0 && tail->last_s == 0) {
        size_t end = len - 1; /* the line's newline */
        const char *before = memrchr(lines, '\n', end);
        size_t start = before == NULL ? 0 : (size_t)(before - lines) + 1;
        int64_t start_s = 0;

        if (record_format_window(lines + start, end - start, &start_s) == 0) {
            *(implausible_from_s != 0 && start_s >= implausible_from_s
                  ? &tail->future_window_s
                  : &tail->last_s) = start_s;
        }
        len = start;
    }
}

int
file_tail_read(int fd, int64_t implausible_from_s, struct file_tail *tail)
{
    char bytes[FILE_TAIL_BYTES];
    const char *newline;
    struct stat status;
    off_t from;
    ssize_t len;
    size_t whole;

    if (fstat(fd, &status) < 0) {
        return -1;
    }
    from =
        status.st_size > FILE_TAIL_BYTES ? status.st_size - FILE_TAIL_BYTES : 0;
    len = read_at(fd, bytes, sizeof(bytes), from);
    if (len < 0) {
        return -1;
    }
    newline = memrchr(bytes, '\n', (size_t)len);
    if (newline == NULL && from > 0) {
        errno = EMEDIUMTYPE; /* a file of ours has no line of this length */
        return -1;
    }
    whole = newline == NULL ? 0 : (size_t)(newline - bytes) + 1;
    tail->size = from + len;
    tail->whole = from + (off_t)whole;
    find_last(bytes, whole, implausible_from_s, tail);
    return 0;
}
