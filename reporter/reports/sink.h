/*
 * Where records go. Each kind of sink is one file that defines one sink_type,
 * and one row of the table in sinks.c.
 *
 * A sink is offered records in order and answers through its events, at once
 * or later: `delivered` for each step that is for good, or `failed`. It is
 * offered nothing more until all it was offered are delivered, or it failed,
 * or it had to drop them. So a sink may wait for an answer from far away, and
 * none needs a queue. Only one reporter at a time offers to a sink of a name.
 */
#ifndef SINK_H
#define SINK_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "net/event_loop.h"
#include "store/window_closer.h"

struct sink;

struct sink_events {
    void *context;
    /* The records up to the window at start_s are where they belong. */
    void (*delivered)(void *context, int64_t start_s);
    /* What was not delivered is to be offered again, after wait_ms; see
       error. */
    void (*failed)(void *context, int64_t wait_ms);
};

/* After a failure that is as likely to be over soon as late: less than the
   second between two looks, so that the next one offers again. */
enum { SINK_WAIT_MS = 500 };

/* The most that a sink is offered at once: bounds the time of a turn. */
enum { SINK_OFFER_MOST = 64 };

enum { SINK_WHY_SIZE = 512 };

struct sink_type {
    enum sink_kind kind;
    size_t most; /* records that it is offered at once */

    /*
     * Looks at what concerns it in options and environment, without a file or
     * connection of its own. 0, or -1 and what is wrong, with its key, in why.
     * NULL: the table of options has said all.
     */
    int (*check)(const struct options *options, char why[SINK_WHY_SIZE]);

    /* options and loop are borrowed for its life. NULL: no memory. */
    struct sink *(*open)(const struct options *options, struct event_loop *loop,
                         const struct sink_events *events);
    void (*close)(struct sink *sink);

    /*
     * The start of the last window that the sink's place itself shows to be
     * written; 0 where it can't tell. NULL: it never can.
     */
    int64_t (*last)(struct sink *sink);

    /*
     * Offers records[0..count), count > 0, borrowed for the call. One that is
     * there already counts as delivered.
     */
    void (*offer)(struct sink *sink, const struct window_record *records,
                  size_t count);

    /*
     * Waits for a moment for what was offered and is not settled: the end is
     * near, and the lease goes to another one next. NULL: nothing ever waits.
     */
    void (*finish)(struct sink *sink);

    /*
     * Breaks off what was offered and is not settled, as it is another
     * reporter's now: no event follows. NULL: it settles all at once.
     */
    void (*drop)(struct sink *sink);

    /* Opens anew what was opened by name. NULL: there is nothing. */
    void (*reopen)(struct sink *sink);
};

/* The head of every sink; what follows is its own. */
struct sink {
    const struct sink_type *type;
    struct sink_events events;
    char *name;                 /* of its cursor, as in verve:sink:<name> */
    int64_t implausible_from_s; /* see window_closer_implausible_from_s; 0: not
                                   known yet */
    int64_t future_window_s; /* a window from there on that its place shows; 0:
                                none */
    char error[SINK_WHY_SIZE]; /* why it failed last */
};

#endif
