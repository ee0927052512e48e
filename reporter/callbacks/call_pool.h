/*
 * The HTTP calls of the dispatcher, which are its slots. A call is made when it
 * is first needed, and kept, because a libcurl handle is expensive to make. A
 * call is busy if it was taken, else idle.
 */
#ifndef CALL_POOL_H
#define CALL_POOL_H

#include <stddef.h>

#include "http_call.h"

struct call_pool;

/* settings is borrowed. NULL: no memory. */
struct call_pool *call_pool_open(const struct settings *settings,
                                 size_t max_calls);

/* All calls must be idle. */
void call_pool_close(struct call_pool *pool);

/* How many more calls may be taken now. */
size_t call_pool_room(const struct call_pool *pool);

/* An idle call, which is busy now. NULL: no room or no memory. */
struct http_call *call_pool_take(struct call_pool *pool);

/* Makes a call idle and hands its job back; NULL if it has none. */
struct job *call_pool_give(struct call_pool *pool, struct http_call *call);

/* The first call with a job from *place on, which begins at 0 and is moved
   behind it. NULL: there is none. */
struct http_call *call_pool_next(const struct call_pool *pool, size_t *place);

#endif
