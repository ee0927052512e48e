/*
 * call_pool: an array of all calls, and a stack of the idle ones: the call that
 * was busy last is taken first, as its memory is still in the CPU's cache.
 */
#include "call_pool.h"

#include <stdlib.h>

struct call_pool {
    const struct settings *settings;
    http_call_answered *answered;
    void *context;
    size_t max_calls;
    size_t made;
    size_t idle_count;
    struct http_call **all;  /* [0..made) */
    struct http_call **idle; /* [0..idle_count) */
};

struct call_pool *
call_pool_open(const struct settings *settings, size_t max_calls,
               http_call_answered *answered, void *context)
{
    struct call_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    pool->settings = settings;
    pool->answered = answered;
    pool->context = context;
    pool->max_calls = max_calls;
    pool->all = calloc(max_calls, sizeof(struct http_call *));
    pool->idle = calloc(max_calls, sizeof(struct http_call *));
    if (pool->all == NULL || pool->idle == NULL) {
        call_pool_close(pool);
        return NULL;
    }
    return pool;
}

void
call_pool_close(struct call_pool *pool)
{
    if (pool != NULL) {
        while (pool->made > 0) {
            http_call_close(pool->all[--pool->made]);
        }
        free(pool->all);
        free(pool->idle);
        free(pool);
    }
}

size_t
call_pool_room(const struct call_pool *pool)
{
    return pool->max_calls - (pool->made - pool->idle_count);
}

struct http_call *
call_pool_take(struct call_pool *pool)
{
    struct http_call *call;

    if (pool->idle_count > 0) {
        return pool->idle[--pool->idle_count];
    }
    if (pool->made == pool->max_calls) {
        return NULL;
    }
    call = http_call_open(pool->settings, pool->answered, pool->context);
    if (call != NULL) {
        pool->all[pool->made++] = call;
    }
    return call;
}

void
call_pool_give(struct call_pool *pool, struct http_call *call)
{
    pool->idle[pool->idle_count++] = call;
}

struct http_call *
call_pool_next(const struct call_pool *pool, size_t *place)
{
    while (*place < pool->made) {
        struct http_call *call = pool->all[(*place)++];

        if (!http_call_is_idle(call)) {
            return call;
        }
    }
    return NULL;
}
