/*
 * From claimed jobs to what becomes of them: who is called when, and how the
 * attempts end. Everything of a callback but Redis.
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/options.h"
#include "fair_queue.h"
#include "net/event_loop.h"
#include "retry_policy.h"
#include "store/job.h"

struct dispatcher;

/* Takes job over. Must not call anything here. */
typedef void dispatcher_ended(void *context, struct job *job,
                              const struct retry_policy *outcome);

/* options and loop are borrowed for its life. NULL (errno). */
struct dispatcher *dispatcher_open(const struct options *options,
                                   struct event_loop *loop,
                                   dispatcher_ended *ended, void *context);

/* Drops what it has: the leases will run out. */
void dispatcher_close(struct dispatcher *dispatcher);

/* The address of Redis, which is never called. Before any dispatcher_add. */
void dispatcher_protect(struct dispatcher *dispatcher,
                        const struct sockaddr *redis);

/* How many jobs may be added now; how many wait, and are under way. */
size_t dispatcher_room(const struct dispatcher *dispatcher);
size_t dispatcher_waiting(const struct dispatcher *dispatcher);
size_t dispatcher_under_way(const struct dispatcher *dispatcher);

/*
 * Takes a claimed job over, and starts nothing yet. False where it has ended
 * at once, as there is no place for it now.
 */
bool dispatcher_add(struct dispatcher *dispatcher, struct job *job);

/*
 * Starts what may start, and gives back what can't soon. To be called after
 * jobs were added, and at least once a second.
 */
void dispatcher_step(struct dispatcher *dispatcher);

/* Starts nothing more, and gives back all that waits. */
void dispatcher_stop(struct dispatcher *dispatcher);

/* Breaks off and gives back what is under way. After dispatcher_stop. */
void dispatcher_abort(struct dispatcher *dispatcher);

/* Opens the callback log anew. */
void dispatcher_reopen(struct dispatcher *dispatcher);

/* As fair_queue_each. */
void dispatcher_each(const struct dispatcher *dispatcher,
                     fair_queue_visit *visit, void *context);

#endif
