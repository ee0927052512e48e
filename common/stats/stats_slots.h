/*
 * Numbers that a process and its children share: memory with a slot for each
 * child, which the parent makes before it forks. A child that is started again
 * goes on in the slot of the one before it, so that counters never become
 * smaller, however children end. stats_file.h is for processes that know
 * nothing of each other.
 */
#ifndef STATS_SLOTS_H
#define STATS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "stats_layout.h"

struct stats_slots;

/*
 * Zeroed slots for `count` children, at most STATS_CELLS. The layout is
 * borrowed for its life. NULL: the system refuses (errno).
 */
struct stats_slots *stats_slots_open(size_t count,
                                     const struct stats_layout *layout);

/* In the parent and in each child. What others see stays. */
void stats_slots_close(struct stats_slots *slots);

/* For child number `slot`, at its start: it is alive, and owns its cells,
   STATS_CELLS of them, which are valid until stats_slots_close. */
uint64_t *stats_slots_begin(struct stats_slots *slots, size_t slot);

/* For the parent, once the child has ended: its cells are zeroed, but for
   counters. A child that never began is fine. */
void stats_slots_end(struct stats_slots *slots, size_t slot);

/* Merges all slots. Takes no lock and never waits. */
void stats_slots_sum(const struct stats_slots *slots,
                     uint64_t sums[STATS_CELLS]);

#endif
