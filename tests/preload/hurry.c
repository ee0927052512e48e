/*
 * Preloaded by a program whose monotonic clocks must run HURRY times as fast.
 * Its waits for a time limit are as much shorter. libcurl 8 reads
 * CLOCK_MONOTONIC_RAW.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BILLION = 1000000000 };

static long
factor(void)
{
    const char *text = getenv("HURRY");

    return text == NULL ? 1 : atol(text);
}

int
clock_gettime(clockid_t clock, struct timespec *time)
{
    static long long starts_ns[2];
    long long *start_ns = &starts_ns[clock == CLOCK_MONOTONIC_RAW];
    long long now_ns;

    if (syscall(SYS_clock_gettime, clock, time) != 0) {
        return -1;
    }
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_RAW) {
        return 0;
    }
    now_ns = (long long)time->tv_sec * BILLION + time->tv_nsec;
    if (*start_ns == 0) {
        *start_ns = now_ns;
    }
    now_ns = *start_ns + (now_ns - *start_ns) * factor();
    time->tv_sec = now_ns / BILLION;
    time->tv_nsec = now_ns % BILLION;
    return 0;
}

int
epoll_wait(int fd, struct epoll_event *events, int count, int wait_ms)
{
    long wait = wait_ms <= 0 ? wait_ms : 1 + wait_ms / factor();

    return (int)syscall(SYS_epoll_pwait, fd, events, count, (int)wait, NULL, 8);
}
