/*
 * The ids that Redis has confirmed in the window that is on: a request for one
 * of them needs no Redis. Exact and of fixed size: an id for which there is no
 * room is just not remembered. What is known ends with the window, with the
 * connection over which it was learnt, and with Redis's data. No sockets, no
 * clock; no memory is allocated but at the start.
 */
#ifndef ID_CACHE_H
#define ID_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_cache;

/* What ids were confirmed for; with another of these nothing is known. */
struct id_cache_scope {
    int64_t window_s;    /* start of the window */
    int64_t born_us;     /* when Redis's data began */
    uint64_t connection; /* the number of the connection; 0: none is up */
};

/* Remembers most ids; 0: none at all. NULL: no memory. */
struct id_cache *id_cache_open(size_t most);
void id_cache_close(struct id_cache *cache);

/*
 * Says what the ids that are added from now on are confirmed for, and until
 * when (monotonic) it is known to be so. Forgets all where that is news.
 */
void id_cache_renew(struct id_cache *cache, const struct id_cache_scope *scope,
                    int64_t until_ms);

/* Remembers id, if there is room. */
void id_cache_add(struct id_cache *cache, int64_t id);

/*
 * The start of the window in which the ids are known at now_ms, over this
 * connection; 0: nothing is known now. Asked before id_cache_has.
 */
int64_t id_cache_window(const struct id_cache *cache, uint64_t connection,
                        int64_t now_ms);

bool id_cache_has(const struct id_cache *cache, int64_t id);

#endif
