/*
 * What this process uses of the system, as of now: for the metrics that all
 * clients of Prometheus have (process_*). A number that the system does not
 * tell is 0.
 */
#ifndef PROCESS_USAGE_H
#define PROCESS_USAGE_H

#include <stdint.h>

struct process_usage {
    int64_t cpu_us;       /* user and system time */
    int64_t memory_bytes; /* resident */
    int64_t open_fds;
    int64_t max_fds; /* the limit of open_fds */
};

/* Takes tens of microseconds, and more if thousands of files are open. */
void process_usage_read(struct process_usage *usage);

#endif
