/*
 * id_cache: a hash table with open addressing and linear probing. Dropping all
 * ids is one increment: a slot is used only if its age is the table's age.
 */
#include "id_cache.h"

#include <stdlib.h>
#include <string.h>

enum {
    /*
     * The most slots that are probed for an id. It bounds the cost if a client
     * chooses ids that collide, and if the table is full.
     */
    PROBES = 16,
    SLOTS_MIN = 2 * PROBES,
};

struct id_cache {
    struct id_cache_scope scope;
    int64_t until_ms; /* monotonic */
    size_t most;
    size_t count;   /* ids of this age */
    size_t slots;   /* a power of two */
    unsigned shift; /* turns a 64-bit hash into a slot */
    uint8_t age;    /* never 0, the age of a slot that was never used */
    uint8_t *ages;  /* of each slot; not beside the id, so that a miss reads
                       less memory */
    int64_t *ids;   /* of each slot */
};

/* The least power of two that leaves a quarter of the slots free. */
static void
choose_slots(struct id_cache *cache)
{
    cache->slots = SLOTS_MIN;
    cache->shift = 64 - 5;
    while (cache->slots - cache->slots / 4 < cache->most) {
        cache->slots *= 2;
        cache->shift--;
    }
}

struct id_cache *
id_cache_open(size_t most)
{
    struct id_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        return NULL;
    }
    cache->most = most;
    cache->age = 1;
    choose_slots(cache);
    cache->ages = calloc(cache->slots, sizeof(*cache->ages));
    cache->ids = calloc(cache->slots, sizeof(*cache->ids));
    if (cache->ages == NULL || cache->ids == NULL) {
        id_cache_close(cache);
        return NULL;
    }
    return cache;
}

void
id_cache_close(struct id_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    free(cache->ages);
    free(cache->ids);
    free(cache);
}

static void
drop_all(struct id_cache *cache)
{
    cache->count = 0;
    cache->age++;
    if (cache->age == 0) { /* every age has been used once */
        memset(cache->ages, 0, cache->slots);
        cache->age = 1;
    }
}

void
id_cache_renew(struct id_cache *cache, const struct id_cache_scope *scope,
               int64_t until_ms)
{
    const struct id_cache_scope *known = &cache->scope;

    if (known->window_s != scope->window_s ||
        known->born_us != scope->born_us ||
        known->connection != scope->connection) {
        drop_all(cache);
        cache->scope = *scope;
    }
    cache->until_ms = until_ms;
}

/*
 * True if id is in the table, with its slot in *slot. Else *slot is the free
 * slot for id, or cache->slots if there is none.
 */
static bool
find(const struct id_cache *cache, int64_t id, size_t *slot)
{
    /* Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4). */
    size_t at = (size_t)((uint64_t)id * 0x9E3779B97F4A7C15u >> cache->shift);
    int probes;

    for (probes = 0; probes < PROBES; probes++) {
        *slot = at;
        if (cache->ages[at] != cache->age) {
            return false;
        }
        if (cache->ids[at] == id) {
            return true;
        }
        at = (at + 1) & (cache->slots - 1);
    }
    *slot = cache->slots;
    return false;
}

void
id_cache_add(struct id_cache *cache, int64_t id)
{
    size_t slot;

    if (!find(cache, id, &slot) && slot < cache->slots &&
        cache->count < cache->most) {
        cache->ages[slot] = cache->age;
        cache->ids[slot] = id;
        cache->count++;
    }
}

int64_t
id_cache_window(const struct id_cache *cache, uint64_t connection,
                int64_t now_ms)
{
    bool known = connection != 0 && connection == cache->scope.connection &&
                 now_ms < cache->until_ms && cache->count > 0;

    return known ? cache->scope.window_s : 0;
}

bool
id_cache_has(const struct id_cache *cache, int64_t id)
{
    size_t slot;

    return find(cache, id, &slot);
}

size_t
id_cache_count(const struct id_cache *cache)
{
    return cache->count;
}
