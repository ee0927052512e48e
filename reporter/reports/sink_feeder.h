/*
 * One sink with what the report knows of it: its lease, its cursor, what it
 * was offered, its troubles. Records are read and offered from the cursor on,
 * as long as the lease is ours.
 */
#ifndef SINK_FEEDER_H
#define SINK_FEEDER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "net/event_loop.h"
#include "redis/redis.h"
#include "sink.h"
#include "store/window_closer.h"

struct sink_feeder;

/* What all outlets share; borrowed for their life. */
struct sink_feeder_needs {
    const struct options *options;
    struct event_loop *loop;
    struct redis *redis;
    struct window_closer *closer;
    const char *owner; /* of leases, see sink_lease.h */
    /* Called when a sink that let us wait may be offered more. */
    void (*wake)(void *context);
    void *context;
};

/* NULL where the system refuses. */
struct sink_feeder *sink_feeder_open(const struct sink_feeder_needs *needs,
                                     const struct sink_type *type);

/* Lets the sink finish what takes no time, saves the cursor, releases the
   lease. */
void sink_feeder_close(struct sink_feeder *feeder);

/*
 * Takes or renews the lease and learns the cursor; to be called before
 * sink_feeder_serve, at least once a second, also while Redis is away.
 */
void sink_feeder_renew_lease(struct sink_feeder *feeder);

/* The start of the last window that is written, as far as we know; 0: none. */
int64_t sink_feeder_cursor_s(const struct sink_feeder *feeder);

/*
 * Offers the sink what follows its cursor, where it is ours and not busy.
 * True where more may follow at once.
 */
bool sink_feeder_serve(struct sink_feeder *feeder);

/* Has the sink open anew what it opened by name, and try at once. */
void sink_feeder_reopen(struct sink_feeder *feeder);

#endif
