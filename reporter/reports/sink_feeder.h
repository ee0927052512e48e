/*
 * Feeds one sink: holds its lease, reads records from its cursor on, offers
 * them while the lease is ours, and logs the sink's failures.
 */
#ifndef SINK_FEEDER_H
#define SINK_FEEDER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "sink.h"
#include "store/store.h"
#include "store/window_closer.h"

struct sink_feeder;

/* What all feeders share. Borrowed for their life. */
struct sink_feeder_shared {
    const struct options *options;
    struct event_loop *loop;
    struct store *store;
    struct redis *records; /* its connection for the key `windows` */
    struct window_closer *closer;
    struct metrics *metrics;
    const char *owner; /* of leases, see sink_lease.h */
    /* Called if a sink has settled an offer and may get the next. */
    void (*wake)(void *context);
    void *context;
};

/* NULL: the system refuses. */
struct sink_feeder *sink_feeder_open(const struct sink_feeder_shared *shared,
                                     const struct sink_type *type);

/* Lets the sink finish, which is brief, saves the cursor and releases the
   lease. */
void sink_feeder_close(struct sink_feeder *feeder);

/*
 * Takes or renews the lease and reads the cursor. To be called before
 * sink_feeder_serve and at least once a second, also if Redis is away.
 */
void sink_feeder_renew_lease(struct sink_feeder *feeder);

/* The start of the last window known to be delivered; 0: none. */
int64_t sink_feeder_cursor_s(const struct sink_feeder *feeder);

/*
 * Offers the sink the next records, if the lease is ours and the sink is not
 * busy. True if more records may be offered at once.
 */
bool sink_feeder_serve(struct sink_feeder *feeder);

/* What an operator wants to know of a sink. */
struct sink_feeder_status {
    const char *name;  /* borrowed */
    bool ours;         /* the lease is ours */
    int64_t cursor_s;  /* as of sink_feeder_cursor_s */
    int64_t failing_s; /* for how long it has failed, or not answered; 0: it
                          works */
    const char *error; /* why, borrowed until the next offer; "": it works */
};

struct sink_feeder_status sink_feeder_status(const struct sink_feeder *feeder);

/* Tells the metrics how far the sink is, if the windows up to `last` are
   recorded. */
void sink_feeder_tell(const struct sink_feeder *feeder,
                      const struct window_stream_end *last);

/* Has the sink open its files again, and ends its wait after a failure. */
void sink_feeder_reopen(struct sink_feeder *feeder);

#endif
