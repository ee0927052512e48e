/*
 * records: fields as text, as an operator reads them with XRANGE.
 */
#include "window_stream.h"

#include <string.h>

#include "window-append.lua.h"
#include "window-read.lua.h"

/* What window-read.lua replies for each record, and where the first begins. */
enum { FIELDS = 5, FIRST = 2 };

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
        add_text(call, "-"); /* not 0: it is not known */
    } else {
        redis_arg_int(call, record->count);
    }
    redis_arg_int(call, record->late);
    redis_arg_int(call, record->gap);
    redis_arg_int(call, record->length_s);
}

int
window_stream_add(struct redis *redis, const char *prefix, int64_t keep_s,
                  const struct window_record *records, size_t count,
                  struct window_stream_end *end)
{
    struct command *call = redis_call(redis, &script_window_append);
    const struct redis_reply *reply;

    redis_key(call, "%s:windows", prefix);
    redis_arg_int(call, keep_s);
    for (size_t i = 0; i < count; i++) {
        add_record(call, &records[i]);
    }
    if (redis_run(redis, &reply) != REDIS_DONE ||
        !redis_reply_int(redis_reply_at(reply, 0), &end->start_s) ||
        !redis_reply_int(redis_reply_at(reply, 1), &end->length_s)) {
        return -1;
    }
    return 0;
}

int
window_stream_last(struct redis *redis, const char *prefix,
                   struct window_stream_end *end)
{
    return window_stream_add(redis, prefix, 0, NULL, 0, end);
}

/* Reads one record out of the reply, whose fields start at i. */
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

int
window_stream_read(struct redis *redis, const char *prefix, int64_t after_s,
                   struct window_record *records, size_t most,
                   struct window_stream_before *before)
{
    struct command *call = redis_call(redis, &script_window_read);
    const struct redis_reply *reply;
    size_t count = 0;

    redis_key(call, "%s:windows", prefix);
    redis_arg_int(call, after_s);
    redis_arg_int(call, (int64_t)most);
    if (redis_run(redis, &reply) != REDIS_DONE ||
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
