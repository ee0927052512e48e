/*
 * Loaded before all other libraries of a redis-server, whose clock it makes
 * step: gettimeofday is off by as many microseconds as stand, as an int64_t,
 * at the beginning of the file that CLOCK_OFFSET_FILE names. Tests write it
 * while the server runs. (libfaketime kills a redis-server.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { SECOND_US = 1000 * 1000 };

/* The offset in the file, mapped at the first call; NULL: there is none. */
static volatile int64_t *
offset_us(void)
{
    static volatile int64_t *offset;
    const char *path = getenv("CLOCK_OFFSET_FILE");
    void *map;
    int fd;

    if (offset != NULL || path == NULL) {
        return offset;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    map = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        offset = map;
    }
    return offset;
}

int
gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    volatile int64_t *offset = offset_us();
    int result = (int)syscall(SYS_gettimeofday, time, zone);
    int64_t us;

    if (result == 0 && offset != NULL) {
        us = time->tv_sec * INT64_C(1000000) + time->tv_usec + *offset;
        time->tv_sec = us / SECOND_US;
        time->tv_usec = us % SECOND_US;
    }
    return result;
}
