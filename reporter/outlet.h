/*
 * One sink with what the report knows of it: its lease, its cursor, what it
 * was offered, its troubles. Records are read and offered from the cursor on,
 * as long as the lease is ours.
 */
#ifndef OUTLET_H
#define OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "option.h"
#include "redis.h"
#include "sink.h"
#include "windows.h"

struct outlet;

/* What all outlets share; borrowed for their life. */
struct outlet_needs {
    const struct options *options;
    struct loop *loop;
    struct redis *redis;
    struct windows *windows;
    const char *owner; /* of leases, see lease.h */
    /* Called when a sink that let us wait may be offered more. */
    void (*wake)(void *context);
    void *context;
};

/* NULL where the system refuses. */
struct outlet *outlet_open(const struct outlet_needs *needs,
                           const struct sink_type *type);

/* Lets the sink finish what takes no time, saves the cursor, releases the
   lease. */
void outlet_close(struct outlet *outlet);

/*
 * Takes or renews the lease and learns the cursor; to be called before
 * outlet_serve, at least once a second, also while Redis is away.
 */
void outlet_keep(struct outlet *outlet);

/* The start of the last window that is written, as far as we know; 0: none. */
int64_t outlet_cursor_s(const struct outlet *outlet);

/*
 * Offers the sink what follows its cursor, where it is ours and not busy.
 * True where more may follow at once.
 */
bool outlet_serve(struct outlet *outlet);

/* Has the sink open anew what it opened by name, and try at once. */
void outlet_reopen(struct outlet *outlet);

#endif
