/*
 * Preloaded by a redis-server, to make its clock step: adds an offset to the
 * time of gettimeofday. The file named by CLOCK_OFFSET_FILE has the offset in
 * microseconds, as an int64_t. Tests write it while the server runs.
 * (libfaketime kills a redis-server.)
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

/* The offset in the file, mapped at the first call; NULL: no offset. */
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
