/*
 * Numbers that the processes of a pool share: one file for each host, mapped by
 * each process. Each process has a slot, an array of cells, and is the only one
 * that writes there. A reader adds up the slots of all processes, also of those
 * that have ended: a sum of counters never becomes smaller, however processes
 * end.
 *
 * What the cells mean is the user's: stats_layout.h.
 */
#ifndef STATS_FILE_H
#define STATS_FILE_H

#include <stdint.h>

#include "stats_layout.h"

/* Processes that have a slot at the same time. */
enum { STATS_SLOTS = 254 };

struct stats_file;

/* Size of a buffer for the longest reason, with its NUL. */
enum { STATS_WHY_SIZE = 256 };

/*
 * Opens the file, makes it if it does not exist, and takes a slot; path is
 * absolute or relative to the working directory. If that is not possible, sets
 * why to the reason, and the cells are in private memory: all works, but the
 * numbers are those of this process alone; else why is "". Blocks for at most a
 * second, if another process stopped while it took a slot.
 *
 * layout is borrowed for its life. NULL: no memory.
 */
struct stats_file *stats_file_open(const char *path,
                                   const struct stats_layout *layout,
                                   char why[STATS_WHY_SIZE]);

/*
 * Gives the slot back, for the next process. Counters stay in the sums. (A
 * process that is killed gives its slot back as well.)
 */
void stats_file_close(struct stats_file *file);

/* The cells of this process, STATS_CELLS of them, for stats_add and stats_set;
   valid until stats_file_close. */
uint64_t *stats_file_cells(struct stats_file *file);

/*
 * Merges the cells of all processes into sums, as the layout says. STATS_LEAST
 * of no living process is 0. Takes no lock and never waits.
 */
void stats_file_sum(const struct stats_file *file, uint64_t sums[STATS_CELLS]);

#endif
