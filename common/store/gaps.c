/*
 * gaps: a hole in the stream is a loss unless it is where records were taken
 * out, as their time was over. A sink's beginning is no hole.
 */
#include "gaps.h"

#include "base/util.h"
#include "window.h"

/* Records that are being put together, and how many there may be. */
struct reading {
    struct window_record *records;
    size_t count;
    size_t most;
};

static void
append(struct reading *reading, const struct window_record *record)
{
    if (reading->count < reading->most) {
        reading->records[reading->count++] = *record;
    }
}

/* Appends a gap for each window from from_s on and before next, as long as
   that. */
static void
append_gaps(int64_t from_s, const struct window_record *next,
            struct reading *reading)
{
    struct window_record gap = {
        .start_s = window_next(from_s, next->length_s),
        .length_s = next->length_s,
        .late = true,
        .gap = true,
    };

    while (gap.start_s < next->start_s && reading->count < reading->most) {
        append(reading, &gap);
        gap.start_s += gap.length_s;
    }
}

int
window_stream_read_gaps(const struct window_stream_view *between,
                        int64_t after_s, struct window_record *records,
                        size_t most, int64_t *skipped)
{
    struct window_record found[WINDOW_STREAM_MOST];
    struct reading reading = {.records = records, .most = most};
    struct window_stream_before before;
    int64_t end_s;  /* of the window after which is read */
    int64_t from_s; /* what is before this is accounted for */
    int count = window_stream_read(
        between->redis, between->prefix, after_s, found,
        most < WINDOW_STREAM_MOST ? most : WINDOW_STREAM_MOST, &before);

    if (count < 0) {
        return -1;
    }
    end_s = after_s + int64_max(before.length_s, 1);
    from_s = int64_max(end_s, before.trimmed_s + 1);
    for (int i = 0; i < count; i++) {
        struct window_record *record = &found[i];

        if (record->length_s <= 0) {
            record->length_s = between->length_s;
        }
        if (between->kept_s != 0 && (i > 0 || after_s != 0)) {
            append_gaps(int64_max(from_s, between->kept_s), record, &reading);
        }
        append(&reading, record);
        from_s = record->start_s + record->length_s;
    }
    *skipped =
        after_s == 0 || count == 0
            ? 0
            : (records[0].start_s - window_next(end_s, records[0].length_s)) /
                  records[0].length_s;
    return (int)reading.count;
}
