/*
 * stats_slots: anonymous memory that fork(2) shares. The first page says which
 * slots have a living owner.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "stats_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct slot {
    uint64_t cells[STATS_CELLS];
};

struct map {
    uint64_t alive[STATS_CELLS]; /* of each slot: 0 or 1 */
    struct slot slots[];
};

struct stats_slots {
    const struct stats_layout *layout;
    size_t count;
    struct map *map;
};

static size_t
size_of(size_t count)
{
    return sizeof(struct map) + count * sizeof(struct slot);
}

struct stats_slots *
stats_slots_open(size_t count, const struct stats_layout *layout)
{
    struct stats_slots *slots;

    if (count > STATS_CELLS) {
        errno = EINVAL;
        return NULL;
    }
    slots = calloc(1, sizeof(*slots));
    if (slots == NULL) {
        return NULL;
    }
    slots->layout = layout;
    slots->count = count;
    slots->map = mmap(NULL, size_of(count), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slots->map == MAP_FAILED) {
        free(slots);
        return NULL;
    }
    return slots;
}

void
stats_slots_close(struct stats_slots *slots)
{
    if (slots != NULL) {
        munmap(slots->map, size_of(slots->count));
        free(slots);
    }
}

uint64_t *
stats_slots_begin(struct stats_slots *slots, size_t slot)
{
    stats_set(&slots->map->alive[slot], 1);
    return slots->map->slots[slot].cells;
}

void
stats_slots_end(struct stats_slots *slots, size_t slot)
{
    uint64_t *cells = slots->map->slots[slot].cells;

    stats_set(&slots->map->alive[slot], 0);
    for (size_t i = 0; i < STATS_CELLS; i++) {
        if (slots->layout->merge[i] != STATS_COUNTER) {
            stats_set(&cells[i], 0);
        }
    }
}

void
stats_slots_sum(const struct stats_slots *slots, uint64_t sums[STATS_CELLS])
{
    bool first = true;

    memset(sums, 0, STATS_CELLS * sizeof(*sums));
    for (size_t i = 0; i < slots->count; i++) {
        bool alive = stats_get(&slots->map->alive[i]) != 0;

        stats_layout_merge(slots->layout, slots->map->slots[i].cells, alive,
                           first, sums);
        first &= !alive;
    }
}
