/*
 * The id cache: ids that Redis has confirmed in the window that is on. A
 * request for such an id needs no round trip. The cache is exact and of fixed
 * size; if there is no room for an id, the id is not cached. All ids are
 * dropped if the window ends, if the connection to Redis is lost or if Redis's
 * data is reset. No sockets, no clock; memory is allocated only by
 * id_cache_open.
 */
#ifndef ID_CACHE_H
#define ID_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_cache;

/* The scope in which ids are confirmed. If a member changes, no id is valid. */
struct id_cache_scope {
    int64_t window_s;    /* start of the window */
    int64_t born_us;     /* when Redis's data began */
    uint64_t connection; /* number of the connection to Redis; 0: none */
};

/* A cache for at most `most` ids, which may be 0. NULL: no memory. */
struct id_cache *id_cache_open(size_t most);
void id_cache_close(struct id_cache *cache);

/*
 * Sets the scope of the ids that are added from now on, and until when
 * (monotonic) they are valid. If the scope is a new one, drops all ids.
 */
void id_cache_renew(struct id_cache *cache, const struct id_cache_scope *scope,
                    int64_t until_ms);

/* Adds id if there is room. */
void id_cache_add(struct id_cache *cache, int64_t id);

/* The number of ids that are cached. */
size_t id_cache_count(const struct id_cache *cache);

/*
 * The start of the window in which the cached ids are confirmed, at now_ms and
 * for this connection; 0: no id is valid now. Call it before id_cache_has.
 */
int64_t id_cache_window(const struct id_cache *cache, uint64_t connection,
                        int64_t now_ms);

/* True if id is cached. Only meaningful if id_cache_window was not 0. */
bool id_cache_has(const struct id_cache *cache, int64_t id);

#endif
