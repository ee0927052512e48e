/*
 * regular_file: the kind of a file is looked at after it is open, so that no
 * other file can take its place in between.
 */
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's Documentation/admin-guide/devices.txt: 1, 3 is /dev/null. */
static bool
is_null_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && major(status->st_rdev) == 1 &&
           minor(status->st_rdev) == 3;
}

int
regular_file_open(const char *path, const char **why)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        *why = strerror(errno);
    } else if (S_ISDIR(status.st_mode)) {
        *why = strerror(EISDIR);
    } else if (!S_ISREG(status.st_mode) && !is_null_device(&status)) {
        *why = "it is not a regular file";
    } else {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}
