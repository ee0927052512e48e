/*
 * Delivers callbacks: claims jobs, sends them with libcurl's multi interface
 * on the daemon's loop, settles them by what came back, and writes one line an
 * attempt to the callback log.
 */
#ifndef COURIER_H
#define COURIER_H

#include "loop.h"
#include "option.h"
#include "redis.h"

struct courier;

/* What it needs is borrowed for its life. NULL (errno): the system refuses. */
struct courier *courier_open(const struct options *options, struct loop *loop,
                             struct redis *redis);
void courier_close(struct courier *courier);

/* Looks for jobs now: called when Redis is back. */
void courier_wake(struct courier *courier);

/* Opens the callback log anew. */
void courier_reopen(struct courier *courier);

/*
 * Claims no more, lets the attempts under way end, for at most
 * callbacks.timeout_ms, gives the rest back, and then calls done once.
 */
void courier_drain(struct courier *courier, void (*done)(void *context),
                   void *context);

#endif
