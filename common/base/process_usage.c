/*
 * process_usage: getrusage(2), getrlimit(2), proc(5).
 */
#include "process_usage.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static int64_t
microseconds(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

/* The second number of /proc/self/statm, in pages. */
static int64_t
resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* Without the folder itself, "." and "..". */
static int64_t
count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -3;

    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

void
process_usage_read(struct process_usage *usage)
{
    struct rusage used = {0};
    struct rlimit limit = {0};

    getrusage(RUSAGE_SELF, &used);
    getrlimit(RLIMIT_NOFILE, &limit);
    *usage = (struct process_usage){
        .cpu_us = microseconds(&used.ru_utime) + microseconds(&used.ru_stime),
        .memory_bytes = resident_bytes(),
        .open_fds = count_fds(),
        .max_fds = (int64_t)limit.rlim_cur,
    };
}
