/*
 * util: the helpers that call the kernel. The others are inline in util.h.
 */
#define _GNU_SOURCE /* SCHED_BATCH */
#include "util.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

void
host_name(char name[HOST_NAME_SIZE])
{
    if (gethostname(name, HOST_NAME_SIZE) != 0) {
        snprintf(name, HOST_NAME_SIZE, "unknown");
    }
    name[HOST_NAME_SIZE - 1] = '\0'; /* a longer name is cut without a NUL */
}

void
use_batch_scheduling(void)
{
    struct sched_param param = {0};

    (void)sched_setscheduler(0, SCHED_BATCH, &param);
}
