/*
 * The report: seals windows as they end and feeds their records to the sinks.
 * Each sink has its own cursor: if a sink is down, the others go on, and the
 * sink later gets what it missed, in order.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include "config/options.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/store.h"

struct json_t;
struct reports;

/* All arguments are borrowed for its life. NULL: the system refuses. */
struct reports *reports_open(const struct options *options,
                             struct event_loop *loop, struct store *store,
                             struct metrics *metrics);
void reports_close(struct reports *reports);

/* Starts a turn at once. To be called when Redis is back. */
void reports_wake(struct reports *reports);

/* Has every sink open its files again. */
void reports_reopen(struct reports *reports);

/* Adds "sinks", the state of each, to a JSON object (jansson). */
void reports_describe(const struct reports *reports, struct json_t *object);

#endif
