/*
 * metric: the text format is that of
 * https://prometheus.io/docs/instrumenting/exposition_formats/.
 */
#include "metric.h"

#include <inttypes.h>
#include <string.h>

enum { MILLION = 1000000 };

/* The values that label i has; 1 if there is no such label. */
static size_t
label_count(const struct metric *metric, size_t i)
{
    return metric->labels[i].name == NULL ? 1 : metric->labels[i].count;
}

static size_t
series_count(const struct metric *metric)
{
    return label_count(metric, 0) * label_count(metric, 1);
}

static size_t
cells_of_series(const struct metric *metric)
{
    return metric->type == METRIC_HISTOGRAM ? metric->bound_count + 2 : 1;
}

size_t
metric_cells(const struct metric *metric)
{
    return series_count(metric) * cells_of_series(metric);
}

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), of whole numbers. */
static uint64_t
hash(uint64_t sum, uint64_t number)
{
    return (sum ^ number) * UINT64_C(0x100000001b3);
}

static uint64_t
hash_text(uint64_t sum, const char *text)
{
    for (; *text != '\0'; text++) {
        sum = hash(sum, (unsigned char)*text);
    }
    return hash(sum, 0);
}

static uint64_t
hash_metric(uint64_t sum, const struct metric *metric)
{
    sum = hash_text(sum, metric->name);
    sum = hash(sum, metric->type);
    sum = hash(sum, metric->merge);
    sum = hash(sum, metric->decimals);
    sum = hash(sum, metric->first);
    sum = hash(sum, metric_cells(metric));
    for (size_t i = 0; i < METRIC_LABELS; i++) {
        const struct metric_label *label = &metric->labels[i];

        for (size_t j = 0; label->name != NULL && j < label->count; j++) {
            sum = hash_text(sum, label->own ? label->name : label->values[j]);
        }
    }
    for (size_t i = 0; i < metric->bound_count; i++) {
        sum = hash(sum, metric->bounds[i].most);
    }
    return sum;
}

void
metric_layout(const struct metric *metrics, size_t count,
              struct stats_layout *layout)
{
    *layout = (struct stats_layout){.id = UINT64_C(0xcbf29ce484222325)};
    for (size_t i = 0; i < count; i++) {
        memset(layout->merge + metrics[i].first, metrics[i].merge,
               metric_cells(&metrics[i]));
        layout->id = hash_metric(layout->id, &metrics[i]);
    }
}

void
metric_observe(const struct metric *metric, uint64_t *cells, size_t series,
               uint64_t value, uint64_t n)
{
    size_t bucket = 0;

    cells += metric->first + series * cells_of_series(metric);
    while (bucket < metric->bound_count &&
           value > metric->bounds[bucket].most) {
        bucket++;
    }
    stats_add(&cells[bucket], n);
    stats_add(&cells[metric->bound_count + 1], n * value);
}

static void
write_head(FILE *out, const struct metric *metric)
{
    static const char *const types[] = {[METRIC_COUNTER] = "counter",
                                        [METRIC_GAUGE] = "gauge",
                                        [METRIC_HISTOGRAM] = "histogram"};

    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
            metric->name, types[metric->type]);
}

/* Only these three need an escape in a label's value. */
static void
write_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
        } else {
            if (*text == '"' || *text == '\\') {
                fputc('\\', out);
            }
            fputc(*text, out);
        }
    }
}

/* Writes the name and the labels of a series; le NULL: it is no bucket. */
static void
write_series(FILE *out, const struct metric *metric, const char *suffix,
             size_t series, const char *le)
{
    const char *before = "{";
    size_t at[METRIC_LABELS] = {series / label_count(metric, 1),
                                series % label_count(metric, 1)};

    fprintf(out, "%s%s", metric->name, suffix);
    for (size_t i = 0; i < METRIC_LABELS; i++) {
        const struct metric_label *label = &metric->labels[i];

        if (label->name != NULL) {
            fprintf(out, "%s%s=\"", before, label->name);
            write_escaped(out, label->values[at[i]]);
            fputc('"', out);
            before = ",";
        }
    }
    if (le != NULL) {
        fprintf(out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    fputs(*before == ',' ? "} " : " ", out);
}

static void
write_value(FILE *out, uint64_t value, unsigned decimals)
{
    if (decimals == 0) {
        fprintf(out, "%" PRIu64 "\n", value);
    } else {
        fprintf(out, "%" PRIu64 ".%06" PRIu64 "\n", value / MILLION,
                value % MILLION);
    }
}

/* Writes a series of one cell, unless its value is unknown. */
static void
write_single(FILE *out, const struct metric *metric, size_t series,
             uint64_t cell)
{
    int64_t value;

    if (metric->merge != STATS_KNOWN) {
        write_series(out, metric, "", series, NULL);
        write_value(out, cell, metric->decimals);
    } else if (stats_told(cell, &value)) {
        write_series(out, metric, "", series, NULL);
        fputs(value < 0 ? "-" : "", out);
        write_value(out, value < 0 ? -(uint64_t)value : (uint64_t)value,
                    metric->decimals);
    }
}

static void
write_histogram(FILE *out, const struct metric *metric, size_t series,
                const uint64_t *cells)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= metric->bound_count; i++) {
        count += cells[i];
        write_series(out, metric, "_bucket", series,
                     i == metric->bound_count ? "+Inf" : metric->bounds[i].le);
        write_value(out, count, 0);
    }
    write_series(out, metric, "_sum", series, NULL);
    write_value(out, cells[metric->bound_count + 1], metric->decimals);
    write_series(out, metric, "_count", series, NULL);
    write_value(out, count, 0);
}

void
metric_write(FILE *out, const struct metric *metrics, size_t count,
             const uint64_t sums[STATS_CELLS])
{
    for (size_t i = 0; i < count; i++) {
        const struct metric *metric = &metrics[i];
        const uint64_t *cells = sums + metric->first;

        write_head(out, metric);
        for (size_t j = 0; j < series_count(metric); j++) {
            if (metric->type == METRIC_HISTOGRAM) {
                write_histogram(out, metric, j, cells);
            } else {
                write_single(out, metric, j, cells[0]);
            }
            cells += cells_of_series(metric);
        }
    }
}
