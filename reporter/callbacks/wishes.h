/*
 * What one claim asks for: how many jobs of which destinations. First come the
 * destinations whose turn it is by Redis, then those that have jobs left in
 * Redis since the last claim, if there is room for more. They share the room
 * evenly; but if many have many jobs, a claim serves only the first of them.
 */
#ifndef WISHES_H
#define WISHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair_queue.h"
#include "store/job_queue.h"

struct wishes {
    struct fair_queue *queue; /* borrowed */
    int64_t now_ms;           /* monotonic: of this claim */
    size_t strangers;         /* how many more strangers there is room for */
    size_t count;
    bool cut; /* a destination has room for more than it was given */
    struct job_queue_wish list[2 * JOB_QUEUE_FOUND_MAX];
    char *origins[2 * JOB_QUEUE_FOUND_MAX]; /* malloc'd, of list */
};

/* Starts a claim; nothing is wished for so far. */
void wishes_init(struct wishes *wishes, struct fair_queue *queue,
                 int64_t now_ms);
void wishes_fini(struct wishes *wishes);

/* Adds a destination whose turn it is. A job_queue_found; context is the
   wishes. */
void wishes_found(void *context, const char *origin, bool proven);

/* Adds the destinations with jobs left, and shares out room for `room` jobs. */
void wishes_complete(struct wishes *wishes, size_t room);

/* Tells the fair queue what the claim left in Redis. */
void wishes_note_left(const struct wishes *wishes);

#endif
