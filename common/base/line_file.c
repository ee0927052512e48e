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
#include <sys/stat.h>
#include <unistd.h>

#include "line_write.h"
#include "util.h"

struct line_file {
    int fd;         /* -1: not open */
    struct stat id; /* of the open file: its device and inode */
    int access;     /* O_WRONLY or O_RDWR */
    bool standard;  /* fd is our stdout or stderr */
    bool blocking;  /* ... with the flags of all who share it */
    bool torn;      /* a part of a line is at the end of a standard stream */
    char path[];
};

static bool
is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* STDOUT_FILENO or STDERR_FILENO if the path names that stream, else -1. */
static int
standard_fd(const char *path)
{
    struct stat named, status;

    if (stat(path, &named) < 0 ||
        (S_ISREG(named.st_mode) && !starts_with(path, "/dev/") &&
         !starts_with(path, "/proc/"))) {
        return -1;
    }
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fstat(fd, &status) == 0 && is_same(&named, &status)) {
            return fd;
        }
    }
    return -1;
}

/*
 * Opens a pipe or a terminal anew, so that it does not block us, and O_NONBLOCK
 * disturbs nobody else. A socket can't be opened, nor what belongs to another
 * user. A regular file has to be shared, with its offset: otherwise we would
 * overwrite each other.
 */
static void
open_standard(struct line_file *file, int standard)
{
    const char *path =
        standard == STDOUT_FILENO ? "/proc/self/fd/1" : "/proc/self/fd/2";
    struct stat status;

    file->fd = -1;
    if (fstat(standard, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
        file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    }
    file->blocking = file->fd < 0;
    if (file->blocking) {
        file->fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
}

/* O_NONBLOCK: a FIFO without a reader, or a full one, must not block. */
static int
open_path(struct line_file *file)
{
    int standard = standard_fd(file->path);

    file->standard = standard >= 0;
    file->blocking = false;
    file->torn = false;
    if (file->standard) {
        open_standard(file, standard);
    } else {
        file->fd = open(file->path,
                        file->access | O_APPEND | O_CREAT | O_CLOEXEC |
                            O_NOCTTY | O_NONBLOCK,
                        0640);
    }
    return file->fd < 0 ? -1 : fstat(file->fd, &file->id);
}

struct line_file *
line_file_open(const char *path, int access)
{
    size_t size = strlen(path) + 1;
    struct line_file *file = calloc(1, sizeof(*file) + size);

    if (file != NULL) {
        memcpy(file->path, path, size);
        file->access = access;
        file->fd = -1;
    }
    return file;
}

void
line_file_release(struct line_file *file)
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
        line_file_release(file);
        free(file);
    }
}

bool
line_file_is_current(const struct line_file *file)
{
    struct stat named;

    return file->fd >= 0 && stat(file->path, &named) == 0 &&
           is_same(&file->id, &named);
}

int
line_file_follow(struct line_file *file)
{
    if (line_file_is_current(file)) {
        return 0;
    }
    line_file_release(file);
    return open_path(file) < 0 ? -1 : 1;
}

int
line_file_fd(const struct line_file *file)
{
    return file->fd;
}

bool
line_file_is_standard(const struct line_file *file)
{
    return file->fd >= 0 && file->standard;
}

bool
line_file_names_standard(const char *path)
{
    return standard_fd(path) >= 0;
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

/* As line_write, without a look if the descriptor does not block. */
static ssize_t
put(const struct line_file *file, const char *bytes, size_t len)
{
    ssize_t written;

    if (file->blocking) {
        return line_write(file->fd, bytes, len);
    }
    do {
        written = write(file->fd, bytes, len);
    } while (written < 0 && errno == EINTR);
    return written;
}

/* Ends a line of which a standard stream has only a part. */
static int
end_torn_line(struct line_file *file)
{
    if (file->torn && put(file, "\n", 1) != 1) {
        return -1;
    }
    file->torn = false;
    return 0;
}

int
line_file_write(struct line_file *file, const char *line, size_t len)
{
    ssize_t written;

    if (end_torn_line(file) < 0) {
        return -1;
    }
    written = put(file, line, len);
    if (written < 0) {
        return -1;
    }
    if ((size_t)written == len) {
        return 0;
    }
    if (file->standard) {
        file->torn = written > 0;
    } else {
        cut_torn_line(file, (size_t)written);
    }
    errno = ENOSPC; /* the usual reason for a short write */
    return -1;
}

const char *
line_file_strerror(int error)
{
    switch (error) {
    case EAGAIN:
        return "its reader does not keep up";
    case ENXIO:
        return "it is a FIFO without a reader";
    default:
        return strerror(error);
    }
}
