/*
 * The minute report: closes windows as they end and hands their records to
 * the sinks, each from its own cursor, so that one that is down holds up no
 * other and catches up in order.
 */
#ifndef REPORT_H
#define REPORT_H

#include "loop.h"
#include "option.h"
#include "redis.h"

struct report;

/* What it needs is borrowed for its life. NULL where the system refuses. */
struct report *report_open(const struct options *options, struct loop *loop,
                           struct redis *redis);
void report_close(struct report *report);

/* Looks for ended windows now: called when Redis is back. */
void report_wake(struct report *report);

/* Has every sink open its files anew. */
void report_reopen(struct report *report);

#endif
