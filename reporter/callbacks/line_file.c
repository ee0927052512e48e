/*
 * line_file: appends each line by one write(2), so that several processes may
 * share the file and a reader sees whole lines. If open(2) or write(2) fails,
 * the next line tries again.
 */
#include "line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line_file {
    int fd; /* -1: not open */
    char path[];
};

/* O_NONBLOCK: a FIFO without a reader, or a full one, must not block. */
static int
file_open(const char *path)
{
    return open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        0640);
}

struct line_file *
line_file_open(const char *path)
{
    size_t size = strlen(path) + 1;
    struct line_file *file = malloc(sizeof(*file) + size);

    if (file != NULL) {
        memcpy(file->path, path, size);
        file->fd = file_open(path);
    }
    return file;
}

static void
close_fd(struct line_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

void
line_file_close(struct line_file *file)
{
    if (file != NULL) {
        close_fd(file);
        free(file);
    }
}

void
line_file_reopen(struct line_file *file)
{
    close_fd(file);
    file->fd = file_open(file->path);
}

/*
 * Removes the part of a line that a full disk took, unless another process has
 * appended to the file since.
 */
static void
cut_torn_line(const struct line_file *file, size_t written)
{
    off_t ours = lseek(file->fd, 0, SEEK_CUR);
    off_t end = lseek(file->fd, 0, SEEK_END);

    if (ours == end && end >= (off_t)written) {
        (void)!ftruncate(file->fd, end - (off_t)written);
    }
}

int
line_file_write(struct line_file *file, const char *line, size_t len)
{
    ssize_t written;

    if (file->fd < 0) {
        file->fd = file_open(file->path);
    }
    if (file->fd < 0) {
        return -1;
    }
    do {
        written = write(file->fd, line, len);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return -1;
    }
    if ((size_t)written < len) {
        cut_torn_line(file, (size_t)written);
        errno = ENOSPC;
        return -1;
    }
    return 0;
}
