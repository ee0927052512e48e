/*
 * The minute report: closes windows as they end and hands their records to
 * the sinks, each from its own cursor, so that one that is down holds up no
 * other and catches up in order.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include "config/options.h"
#include "net/event_loop.h"
#include "redis/redis.h"

struct reports;

/* What it needs is borrowed for its life. NULL where the system refuses. */
struct reports *reports_open(const struct options *options,
                             struct event_loop *loop, struct redis *redis);
void reports_close(struct reports *reports);

/* Looks for ended windows now: called when Redis is back. */
void reports_wake(struct reports *reports);

/* Has every sink open its files anew. */
void reports_reopen(struct reports *reports);

#endif
