/*
 * The interface of a sink: a place to which the records of windows are
 * reported. sinks.h lists all sinks and says how to add one.
 *
 * A sink is offered records in order. It answers through its events, at once or
 * later: `delivered` for each step that lasts, or `failed`. The next offer
 * comes only after all offered records were delivered, or the sink failed, or
 * it was told to drop them. So a sink may wait for a remote answer, and needs
 * no queue. Only one reporter at a time offers records to the sink of a name.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "net/event_loop.h"
#include "store/window_closer.h"

struct sink;

struct sink_events {
    void *context;
    /* All records up to the window at start_s are delivered. */
    void (*delivered)(void *context, int64_t start_s);
    /* The records that were not delivered are to be offered again after
       wait_ms. The reason is in the sink's error. */
    void (*failed)(void *context, int64_t wait_ms);
};

/* The wait after a failure that may be over soon: less than the second between
   two turns of the report, so that the next turn offers again. */
enum { SINK_WAIT_MS = 500 };

/* The most records that any sink is offered at once: limits the time of a
   turn. */
enum { SINK_OFFER_MOST = 64 };

enum { SINK_WHY_SIZE = 512 };

struct sink_type {
    enum sink_kind kind;
    size_t most; /* records in one offer, at most SINK_OFFER_MOST */

    /*
     * Checks the sink's options and environment, without opening a file or
     * connection of the sink. 0, or -1 and why, which names the option. NULL:
     * the option table has checked everything.
     */
    int (*check)(const struct options *options, char why[SINK_WHY_SIZE]);

    /* options and loop are borrowed for the sink's life. NULL: no memory. */
    struct sink *(*open)(const struct options *options, struct event_loop *loop,
                         const struct sink_events *events);
    void (*close)(struct sink *sink);

    /*
     * The start of the last window that is written at the destination itself,
     * a file for example; 0 if it cannot be found out. NULL: it never can.
     */
    int64_t (*last)(struct sink *sink);

    /*
     * Offers records[0..count), count > 0, borrowed for the call. A record that
     * the destination has already counts as delivered.
     */
    void (*offer)(struct sink *sink, const struct window_record *records,
                  size_t count);

    /*
     * Waits briefly for the records that were offered and not settled: the sink
     * is about to be closed, and another reporter may get its lease. NULL: an
     * offer is always settled at once.
     */
    void (*finish)(struct sink *sink);

    /*
     * Gives up the records that were offered and not settled, because another
     * reporter has the lease now. No event follows. NULL: an offer is always
     * settled at once.
     */
    void (*drop)(struct sink *sink);

    /*
     * An operator has set the cursor back: what the sink only remembers to have
     * written counts no more, but what can be read at the destination does.
     * NULL: it remembers nothing.
     */
    void (*forget)(struct sink *sink);

    /* HUP: opens the sink's files again, by name, and reads credentials anew.
       NULL: there are none. */
    void (*reopen)(struct sink *sink);
};

/* The first member of every sink's own struct. */
struct sink {
    const struct sink_type *type;
    struct sink_events events;
    char *name;       /* names cursor and lease, as in verve:sink:<name> */
    bool from_newest; /* a new sink begins with the newest window, not with the
                         oldest that is recorded */
    int64_t implausible_from_s; /* see window_closer_implausible_from_s; 0: not
                                   known yet */
    int64_t future_window_s;    /* an implausible window that was found at the
                                   destination; 0: none */
    char error[SINK_WHY_SIZE];  /* the reason of the last failure */
};

#endif
