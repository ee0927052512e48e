/*
 * logfile: appends lines to a file by one write each, so that several
 * processes may share it and a reader sees whole lines. Where the file can't
 * be opened, or a write fails, the next line tries again.
 */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct logfile {
    int fd; /* -1: not open */
    char path[];
};

/* Never waits, as it would for the reader of a FIFO, or for room in one. */
static int
file_open(const char *path)
{
    return open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        0640);
}

struct logfile *
logfile_open(const char *path)
{
    size_t size = strlen(path) + 1;
    struct logfile *logfile = malloc(sizeof(*logfile) + size);

    if (logfile != NULL) {
        memcpy(logfile->path, path, size);
        logfile->fd = file_open(path);
    }
    return logfile;
}

static void
shut(struct logfile *logfile)
{
    if (logfile->fd >= 0) {
        close(logfile->fd);
        logfile->fd = -1;
    }
}

void
logfile_close(struct logfile *logfile)
{
    if (logfile != NULL) {
        shut(logfile);
        free(logfile);
    }
}

void
logfile_reopen(struct logfile *logfile)
{
    shut(logfile);
    logfile->fd = file_open(logfile->path);
}

/*
 * Takes back the part of a line that a full disk let through, unless another
 * process has already written behind it.
 */
static void
untear(const struct logfile *logfile, size_t written)
{
    off_t ours = lseek(logfile->fd, 0, SEEK_CUR);
    off_t end = lseek(logfile->fd, 0, SEEK_END);

    if (ours == end && end >= (off_t)written) {
        (void)!ftruncate(logfile->fd, end - (off_t)written);
    }
}

int
logfile_write(struct logfile *logfile, const char *line, size_t len)
{
    ssize_t written;

    if (logfile->fd < 0) {
        logfile->fd = file_open(logfile->path);
    }
    if (logfile->fd < 0) {
        return -1;
    }
    do {
        written = write(logfile->fd, line, len);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return -1;
    }
    if ((size_t)written < len) {
        untear(logfile, (size_t)written);
        errno = ENOSPC;
        return -1;
    }
    return 0;
}
