/*
 * util: the helpers that call the kernel. The others are inline in util.h.
 */
#define _GNU_SOURCE /* SCHED_BATCH */
#include "util.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

/* Up to 256 bytes are never cut short nor interrupted: getrandom(2). */
static void
fill_random(void *to, size_t bytes)
{
    (void)!getrandom(to, bytes, 0);
}

uint64_t
random_number(void)
{
    uint64_t number = 0;

    fill_random(&number, sizeof(number));
    return number;
}

uint64_t
random_below(uint64_t bound)
{
    return random_number() % bound;
}

void
random_hex(char *to, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *from = (uint8_t *)to + bytes; /* the second half of the digits */

    fill_random(from, bytes);
    for (; bytes > 0; bytes--) {
        uint8_t byte = *from++;

        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
}

void
host_name(char name[HOST_NAME_SIZE])
{
    if (gethostname(name, HOST_NAME_SIZE) != 0) {
        snprintf(name, HOST_NAME_SIZE, "unknown");
    }
    name[HOST_NAME_SIZE - 1] = '\0'; /* a longer name is cut without a NUL */
}

void
fill_standard_fds(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR); /* the lowest that is closed */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

void
use_batch_scheduling(void)
{
    struct sched_param param = {0};

    (void)sched_setscheduler(0, SCHED_BATCH, &param);
}
