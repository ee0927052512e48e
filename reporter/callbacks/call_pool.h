/*
 * The attempts of a courier: each made when it is first needed and kept, as
 * its libcurl handle and its memory are costly to make. One with a job is
 * busy, one without is idle.
 */
#ifndef CALL_POOL_H
#define CALL_POOL_H

#include <stddef.h>

#include "http_call.h"

struct call_pool;

/* At most most at once. terms is borrowed for its life. NULL: no memory. */
struct call_pool *call_pool_open(const struct settings *settings, size_t most);

/* Only with all of them idle. */
void call_pool_close(struct call_pool *pool);

/* How many are busy, and how many more could be. */
size_t call_pool_busy(const struct call_pool *pool);
size_t call_pool_room(const struct call_pool *pool);

/* An idle one, which counts as busy from now on. NULL: no room or memory. */
struct http_call *call_pool_take(struct call_pool *pool);

/* Makes one idle. Returns the job that it had; NULL where it had none. */
struct job *call_pool_give(struct call_pool *pool, struct http_call *call);

/* Any one that has a job; NULL where none has. */
struct http_call *call_pool_any(const struct call_pool *pool);

#endif
