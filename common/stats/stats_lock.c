/*
 * stats_lock: see fcntl_locking(2).
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "stats_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 100, PAUSE_MS = 10 };

static struct flock
one_byte(short type, off_t at)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

bool
stats_lock_try(int fd, off_t at)
{
    struct flock lock = one_byte(F_WRLCK, at);

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

int
stats_lock_wait(int fd, off_t at)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    for (int i = 0; i < TRIES; i++) {
        if (stats_lock_try(fd, at)) {
            return 0;
        }
        if (errno != EAGAIN && errno != EACCES) {
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    errno = EBUSY;
    return -1;
}

void
stats_lock_release(int fd, off_t at)
{
    struct flock lock = one_byte(F_UNLCK, at);

    fcntl(fd, F_OFD_SETLK, &lock);
}

bool
stats_lock_is_held(int fd, off_t at)
{
    struct flock lock = one_byte(F_WRLCK, at);

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
