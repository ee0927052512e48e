/*
 * stats_layout: merging. Counters of processes that have ended stay in the
 * sums, so that a sum of counters never becomes smaller.
 */
#include "stats_layout.h"

static uint64_t
merged(enum stats_merge merge, uint64_t sum, uint64_t value, bool first)
{
    switch (merge) {
    case STATS_UNUSED:
        break;
    case STATS_COUNTER:
    case STATS_SUM:
        return sum + value;
    case STATS_MOST:
        return value > sum ? value : sum;
    case STATS_LEAST:
        return first || value < sum ? value : sum;
    case STATS_KNOWN:
        return value != 0 ? value : sum;
    }
    return 0;
}

void
stats_layout_merge(const struct stats_layout *layout,
                   const uint64_t cells[STATS_CELLS], bool alive, bool first,
                   uint64_t sums[STATS_CELLS])
{
    for (size_t i = 0; i < STATS_CELLS; i++) {
        enum stats_merge merge = layout->merge[i];

        if (merge == STATS_COUNTER || (alive && merge != STATS_UNUSED)) {
            sums[i] = merged(merge, sums[i], stats_get(&cells[i]), first);
        }
    }
}
