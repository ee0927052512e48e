/*
 * Where records go. Each kind of sink is one file that defines one sink_type,
 * and one row of the table in report.c.
 *
 * A sink is offered records in order and answers through its events, at once
 * or later: `delivered` for each step that is for good, or `failed`. It is
 * offered nothing more until all it was offered are delivered, or it failed.
 * So a sink may wait for an answer from far away, and none needs a queue.
 */
#ifndef SINK_H
#define SINK_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "option.h"
#include "windows.h"

struct sink;

struct sink_events {
    void *context;
    /* The records up to the window at start_s are where they belong. */
    void (*delivered)(void *context, int64_t start_s);
    /* What was not delivered is to be offered again, later; see error. */
    void (*failed)(void *context);
};

struct sink_type {
    enum sink_kind kind;

    /* options and loop are borrowed for its life. NULL: no memory. */
    struct sink *(*open)(const struct options *options, struct loop *loop,
                         const struct sink_events *events);
    void (*close)(struct sink *sink);

    /*
     * The start of the last window that the sink's place itself shows to be
     * written; 0 where it can't tell.
     */
    int64_t (*last)(struct sink *sink);

    /*
     * Offers records[0..count), count > 0, borrowed for the call. One that is
     * there already counts as delivered.
     */
    void (*offer)(struct sink *sink, const struct window_record *records,
                  size_t count);

    /* Opens anew what was opened by name. */
    void (*reopen)(struct sink *sink);
};

/* The head of every sink; what follows is its own. */
struct sink {
    const struct sink_type *type;
    struct sink_events events;
    char *name;      /* of its cursor, as in verve:sink:<name> */
    char error[512]; /* why it failed last */
};

#endif
