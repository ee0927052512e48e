/*
 * A run: sends requests over the connections, at a fixed rate (open loop) or as
 * fast as answers arrive (closed loop). It ends if no target or no time is left
 * and every answer has arrived.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outcome.h"
#include "plan.h"

struct run_options {
    char *const *hosts; /* host:port */
    size_t host_count;
    size_t connections; /* in all, spread evenly over the hosts */
    int64_t rate;       /* requests/s; 0: closed loop */
    int64_t seconds;    /* no request starts later; 0: no end */
    int64_t timeout_ms; /* for one request */
    uint64_t count;     /* requests; 0: no end */
    bool mirror;        /* every host gets every target */
};

/*
 * Runs to the end and fills *outcome. Returns the duration in seconds, or -1
 * after a message on stderr.
 */
double run(const struct run_options *options, const struct plan *plan,
           struct outcome *outcome);

#endif
