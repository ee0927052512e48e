/*
 * Metrics: a table says of each family its name, type and labels, and which
 * cells (stats_layout.h) have its numbers. Counting and the text for Prometheus
 * both follow that table.
 *
 * The cells of a family are those of its series, one after the other: one cell,
 * or for a histogram a cell for each bucket (not cumulative), the last without
 * a bound, and a cell for the sum.
 */
#ifndef METRIC_H
#define METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stats_layout.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { METRIC_LABELS = 2 };

struct metric_label {
    const char *name;          /* NULL: there is no such label */
    const char *const *values; /* all that it may have */
    size_t count;              /* of values */
    bool own; /* the value is this process's: no part of the layout */
};

/* The upper bound of a bucket. */
struct metric_bound {
    const char *le; /* as the text shows it */
    uint64_t most;  /* the same, in the unit of the cell */
};

struct metric {
    const char *name;
    const char *help;
    enum metric_type type;
    enum stats_merge merge;
    unsigned decimals; /* the cell has the value x 10^decimals: 0 or 6 */
    struct metric_label labels[METRIC_LABELS];
    const struct metric_bound *bounds; /* of a histogram */
    size_t bound_count;
    size_t first; /* cell */
};

/* The number of cells of the family. */
size_t metric_cells(const struct metric *metric);

/* Fills *layout from the table. A cell belongs to one family. */
void metric_layout(const struct metric *metrics, size_t count,
                   struct stats_layout *layout);

/* Adds n observations of value to series number `series` of a histogram. */
void metric_observe(const struct metric *metric, uint64_t *cells, size_t series,
                    uint64_t value, uint64_t n);

/*
 * Writes all families in the text format 0.0.4 of Prometheus, with the merged
 * numbers. A series whose value is unknown (STATS_KNOWN) is left out.
 */
void metric_write(FILE *out, const struct metric *metrics, size_t count,
                  const uint64_t sums[STATS_CELLS]);

#endif
