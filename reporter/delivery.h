/*
 * From claimed jobs to what becomes of them: who is called when, and how the
 * attempts end. Everything of a callback but Redis.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "destinations.h"
#include "job.h"
#include "loop.h"
#include "option.h"
#include "outcome.h"

struct delivery;

/* Takes job over. Must not call anything here. */
typedef void delivery_ended(void *context, struct job *job,
                            const struct outcome *outcome);

/* options and loop are borrowed for its life. NULL (errno). */
struct delivery *delivery_open(const struct options *options, struct loop *loop,
                               delivery_ended *ended, void *context);

/* Drops what it has: the leases will run out. */
void delivery_close(struct delivery *delivery);

/* The address of Redis, which is never called. Before any delivery_add. */
void delivery_protect(struct delivery *delivery, const struct sockaddr *redis);

/* How many jobs may be added now; how many wait, and are under way. */
size_t delivery_room(const struct delivery *delivery);
size_t delivery_waiting(const struct delivery *delivery);
size_t delivery_under_way(const struct delivery *delivery);

/*
 * Takes a claimed job over, and starts nothing yet. False where it has ended
 * at once, as there is no place for it now.
 */
bool delivery_add(struct delivery *delivery, struct job *job);

/*
 * Starts what may start, and gives back what can't soon. To be called after
 * jobs were added, and at least once a second.
 */
void delivery_step(struct delivery *delivery);

/* Starts nothing more, and gives back all that waits. */
void delivery_stop(struct delivery *delivery);

/* Breaks off and gives back what is under way. After delivery_stop. */
void delivery_abort(struct delivery *delivery);

/* Opens the callback log anew. */
void delivery_reopen(struct delivery *delivery);

/* As destinations_each. */
void delivery_each(const struct delivery *delivery, destinations_visit *visit,
                   void *context);

#endif
