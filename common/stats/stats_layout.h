/*
 * What the cells of several processes mean together. Each process has an array
 * of cells of its own, and is the only one that writes there. A reader merges
 * the arrays of all processes, as the layout says for each cell.
 */
#ifndef STATS_LAYOUT_H
#define STATS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STATS_SLOT_BYTES = 4096,
    STATS_CELLS = STATS_SLOT_BYTES / 8,
};

/* How the cells of several slots become one number. */
enum stats_merge {
    STATS_UNUSED,
    STATS_COUNTER, /* the sum over all processes, also those that have ended */
    STATS_SUM,     /* of living processes only, as the following */
    STATS_MOST,
    STATS_LEAST,
    STATS_KNOWN, /* that of the process that knows it: see stats_tell */
};

struct stats_layout {
    /* Differs if the cells have another meaning. A file of another layout is
       replaced: numbers are never read as something else. */
    uint64_t id;
    uint8_t merge[STATS_CELLS]; /* enum stats_merge of each cell */
};

/*
 * Merges the cells of a process into sums: its counters, and if it is alive,
 * the other cells. first: it is the first living process; before the first
 * call, sums is zeroed.
 */
void stats_layout_merge(const struct stats_layout *layout,
                        const uint64_t cells[STATS_CELLS], bool alive,
                        bool first, uint64_t sums[STATS_CELLS]);

static inline uint64_t
stats_get(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static inline void
stats_set(uint64_t *cell, uint64_t value)
{
    __atomic_store_n(cell, value, __ATOMIC_RELAXED);
}

/*
 * A cell has one writer; so a plain load and store do, which cost a quarter of
 * an atomic addition. Readers see the value before or after.
 */
static inline void
stats_add(uint64_t *cell, uint64_t n)
{
    stats_set(cell, stats_get(cell) + n);
}

/* The highest bit: a zeroed cell is none that any value makes. */
#define STATS_TOLD (UINT64_C(1) << 63)

/*
 * Sets a cell of STATS_KNOWN, which is unknown until then, and again after
 * stats_set to 0. value may be negative; INT64_MIN is not used.
 */
static inline void
stats_tell(uint64_t *cell, int64_t value)
{
    stats_set(cell, (uint64_t)value ^ STATS_TOLD);
}

/* The value of a cell of STATS_KNOWN; false: it is unknown. */
static inline bool
stats_told(uint64_t cell, int64_t *value)
{
    *value = (int64_t)(cell ^ STATS_TOLD);
    return cell != 0;
}

#endif
