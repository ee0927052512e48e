/*
 * window_stream: fields are text, so that an operator can read them with
 * XRANGE. A hole in the stream is a gap unless the records were trimmed there,
 * because their retention was over.
 */
#include "window_stream.h"

#include <string.h>

#include "base/util.h"
#include "keys.h"
#include "window-append.lua.h"
#include "window-last.lua.h"
#include "window-read.lua.h"
#include "window.h"

/* window-read.lua replies FIRST values, and then FIELDS for each record. */
enum { FIELDS = 5, FIRST = 2 };

/* What the stream says of the time before the records that are read. */
struct before {
    int64_t trimmed_s; /* the last window whose record was deleted, by a trim
                          or by hand; 0: none was */
    int64_t length_s;  /* of the window at after_s; 0: not known */
};

/* Records that are put together, and how many there may be. */
struct output {
    struct window_record *records;
    size_t count;
    size_t most;
};

static void
add_text(struct command *call, const char *text)
{
    redis_arg(call, text, strlen(text));
}

static void
add_record(struct command *call, const struct window_record *record)
{
    redis_arg_int(call, record->start_s);
    if (record->gap) {
        add_text(call, "-"); /* not 0: the count is not known */
    } else {
        redis_arg_int(call, record->count);
    }
    redis_arg_int(call, record->late);
    redis_arg_int(call, record->gap);
    redis_arg_int(call, record->length_s);
}

int
window_stream_append(struct redis *redis, const char *prefix, int64_t keep_s,
                     const struct window_record *records, size_t count,
                     struct window_stream_added *added)
{
    struct command *call = redis_call(redis, &script_window_append);
    struct key_parts parts = {.prefix = prefix};
    const struct redis_reply *reply;
    int64_t added_count = 0;

    keys_add(call, KEY_WINDOWS, &parts);
    redis_arg_int(call, keep_s);
    for (size_t i = 0; i < count; i++) {
        add_record(call, &records[i]);
    }
    if (redis_run(redis, &reply) != REDIS_DONE ||
        !redis_reply_int(redis_reply_at(reply, 0), &added->last_s) ||
        !redis_reply_int(redis_reply_at(reply, 1), &added_count)) {
        return -1;
    }
    added->count = (size_t)added_count;
    return 0;
}

int
window_stream_last(struct redis *redis, const char *prefix,
                   struct window_stream_end *end)
{
    struct command *call = redis_call(redis, &script_window_last);
    struct key_parts parts = {.prefix = prefix};
    const struct redis_reply *reply;

    keys_add(call, KEY_WINDOWS, &parts);
    if (redis_run(redis, &reply) != REDIS_DONE ||
        !redis_reply_int(redis_reply_at(reply, 0), &end->start_s) ||
        !redis_reply_int(redis_reply_at(reply, 1), &end->length_s) ||
        !redis_reply_int(redis_reply_at(reply, 3), &end->first_s)) {
        return -1;
    }
    if (!redis_reply_int(redis_reply_at(reply, 2), &end->count)) {
        end->count = -1;
    }
    return 0;
}

/* Reads one record at element i. Without a count that is a number: a gap. */
static bool
read_record(const struct redis_reply *reply, size_t i,
            struct window_record *record)
{
    int64_t late = 0, gap = 0;

    *record = (struct window_record){0};
    if (!redis_reply_int(redis_reply_at(reply, i), &record->start_s)) {
        return false;
    }
    redis_reply_int(redis_reply_at(reply, i + 2), &late);
    redis_reply_int(redis_reply_at(reply, i + 3), &gap);
    redis_reply_int(redis_reply_at(reply, i + 4), &record->length_s);
    record->late = late != 0;
    record->gap = gap != 0 || !redis_reply_int(redis_reply_at(reply, i + 1),
                                               &record->count);
    return true;
}

/* Reads the records that are there. Returns their number, or -1. */
static int
read_stored(const struct window_stream_view *view, int64_t after_s,
            struct window_record *records, size_t most, struct before *before)
{
    struct command *call = redis_call(view->redis, &script_window_read);
    struct key_parts parts = {.prefix = view->prefix};
    const struct redis_reply *reply;
    size_t count = 0;

    keys_add(call, KEY_WINDOWS, &parts);
    redis_arg_int(call, after_s);
    redis_arg_int(call, (int64_t)most);
    if (redis_run(view->redis, &reply) != REDIS_DONE ||
        !redis_reply_int(redis_reply_at(reply, 0), &before->trimmed_s) ||
        !redis_reply_int(redis_reply_at(reply, 1), &before->length_s)) {
        return -1;
    }
    while (count < most && count < redis_reply_count(reply) / FIELDS) {
        if (!read_record(reply, FIRST + FIELDS * count, &records[count])) {
            return -1;
        }
        count++;
    }
    return (int)count;
}

static void
append(struct output *output, const struct window_record *record)
{
    if (output->count < output->most) {
        output->records[output->count++] = *record;
    }
}

/*
 * Appends a gap for each window from from_s on and before the record `next`;
 * the gaps have the length of its window.
 */
static void
append_gaps(struct output *output, int64_t from_s,
            const struct window_record *next)
{
    struct window_record gap = {
        .start_s = window_next(from_s, next->length_s),
        .length_s = next->length_s,
        .late = true,
        .gap = true,
    };

    while (gap.start_s < next->start_s && output->count < output->most) {
        append(output, &gap);
        gap.start_s += gap.length_s;
    }
}

/* How many windows lie between end_s and the first record. */
static int64_t
count_skipped(int64_t end_s, const struct window_record *first)
{
    return (first->start_s - window_next(end_s, first->length_s)) /
           first->length_s;
}

int
window_stream_read(const struct window_stream_view *view, int64_t after_s,
                   struct window_record *records, size_t most, int64_t *skipped)
{
    struct window_record stored[WINDOW_STREAM_MOST];
    struct output output = {.records = records, .most = most};
    struct before before;
    int64_t end_s;  /* end of the window at after_s */
    int64_t from_s; /* windows before this are accounted for */
    int count = read_stored(
        view, after_s, stored,
        most < WINDOW_STREAM_MOST ? most : WINDOW_STREAM_MOST, &before);

    if (count < 0) {
        return -1;
    }
    end_s = after_s + int64_max(before.length_s, 1);
    from_s = int64_max(end_s, before.trimmed_s + 1);
    for (int i = 0; i < count; i++) {
        struct window_record *record = &stored[i];

        if (record->length_s <= 0) {
            record->length_s = view->length_s;
        }
        if (view->kept_s != 0 && (i > 0 || after_s != 0)) {
            append_gaps(&output, int64_max(from_s, view->kept_s), record);
        }
        append(&output, record);
        from_s = record->start_s + record->length_s;
    }
    *skipped =
        after_s == 0 || count == 0 ? 0 : count_skipped(end_s, &records[0]);
    return (int)output.count;
}
