/*
 * recent: an open-addressing table, linear probing. Forgetting all is one
 * increment: a slot counts only where it has the table's age.
 */
#include "recent.h"

#include <stdlib.h>
#include <string.h>

enum {
    /*
     * The longest walk from an id's own slot. It bounds the cost of ids that
     * were chosen so as to collide, and of a table that is full.
     */
    PROBES = 16,
    SLOTS_MIN = 2 * PROBES,
};

struct recent {
    struct recent_scope scope;
    int64_t until_ms; /* monotonic */
    size_t most;
    size_t count; /* ids of this age */
    size_t slots; /* a power of two */
    unsigned shift;
    uint8_t age;   /* never 0, which marks a slot that was never used */
    uint8_t *ages; /* of each slot; apart, as a miss reads nothing else */
    int64_t *ids;  /* of each slot */
};

/* The power of two that leaves at least a quarter of the slots free. */
static void
choose_slots(struct recent *recent)
{
    recent->slots = SLOTS_MIN;
    recent->shift = 64 - 5;
    while (recent->slots - recent->slots / 4 < recent->most) {
        recent->slots *= 2;
        recent->shift--;
    }
}

struct recent *
recent_open(size_t most)
{
    struct recent *recent = calloc(1, sizeof(*recent));

    if (recent == NULL) {
        return NULL;
    }
    recent->most = most;
    recent->age = 1;
    choose_slots(recent);
    recent->ages = calloc(recent->slots, sizeof(*recent->ages));
    recent->ids = calloc(recent->slots, sizeof(*recent->ids));
    if (recent->ages == NULL || recent->ids == NULL) {
        recent_close(recent);
        return NULL;
    }
    return recent;
}

void
recent_close(struct recent *recent)
{
    if (recent == NULL) {
        return;
    }
    free(recent->ages);
    free(recent->ids);
    free(recent);
}

static void
forget_all(struct recent *recent)
{
    recent->count = 0;
    recent->age++;
    if (recent->age == 0) { /* all ages have been used */
        memset(recent->ages, 0, recent->slots);
        recent->age = 1;
    }
}

void
recent_renew(struct recent *recent, const struct recent_scope *scope,
             int64_t until_ms)
{
    const struct recent_scope *known = &recent->scope;

    if (known->window_s != scope->window_s ||
        known->born_us != scope->born_us ||
        known->connection != scope->connection) {
        forget_all(recent);
        recent->scope = *scope;
    }
    recent->until_ms = until_ms;
}

/*
 * True where id is in a slot. Sets *slot to it, else to the one that is free
 * for it, or to recent->slots where none is.
 */
static bool
find(const struct recent *recent, int64_t id, size_t *slot)
{
    /* Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4). */
    size_t at = (size_t)((uint64_t)id * 0x9E3779B97F4A7C15u >> recent->shift);
    int probes;

    for (probes = 0; probes < PROBES; probes++) {
        *slot = at;
        if (recent->ages[at] != recent->age) {
            return false;
        }
        if (recent->ids[at] == id) {
            return true;
        }
        at = (at + 1) & (recent->slots - 1);
    }
    *slot = recent->slots;
    return false;
}

void
recent_add(struct recent *recent, int64_t id)
{
    size_t slot;

    if (!find(recent, id, &slot) && slot < recent->slots &&
        recent->count < recent->most) {
        recent->ages[slot] = recent->age;
        recent->ids[slot] = id;
        recent->count++;
    }
}

int64_t
recent_window(const struct recent *recent, uint64_t connection, int64_t now_ms)
{
    bool known = connection != 0 && connection == recent->scope.connection &&
                 now_ms < recent->until_ms && recent->count > 0;

    return known ? recent->scope.window_s : 0;
}

bool
recent_has(const struct recent *recent, int64_t id)
{
    size_t slot;

    return find(recent, id, &slot);
}
