/*
 * The HTTP calls of the dispatcher, which are its slots. A call is made when it
 * is first needed, and kept, because a libcurl handle is expensive to make.
 */
#ifndef CALL_POOL_H
#define CALL_POOL_H

#include <stddef.h>

#include "http_call.h"

struct call_pool;

/* As http_call_open. */
struct call_pool *call_pool_open(const struct settings *settings,
                                 size_t max_calls, http_call_answered *answered,
                                 void *context);

/* All calls must be idle. */
void call_pool_close(struct call_pool *pool);

/* How many more calls may be taken now. */
size_t call_pool_room(const struct call_pool *pool);

/* An idle call. NULL: no room or no memory. */
struct http_call *call_pool_take(struct call_pool *pool);

/* Takes an idle call back. */
void call_pool_give(struct call_pool *pool, struct http_call *call);

/* The first call that is not idle from *place on, which begins at 0 and is
   moved behind it. NULL: there is none. */
struct http_call *call_pool_next(const struct call_pool *pool, size_t *place);

#endif
