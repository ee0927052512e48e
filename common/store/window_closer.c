/*
 * window_closer: which windows to close. Redis alone knows which windows are
 * sealed and recorded; it is asked each time. What tells lost data from a quiet
 * time is in window_memory.h.
 */
#include "window_closer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "keys.h"
#include "marks-settle.lua.h"
#include "schema.h"
#include "window-look.lua.h"
#include "window-seal.lua.h"
#include "window.h"

enum { COUNTS_AT = 3 }; /* the first count in window-seal.lua's reply */

struct window_closer {
    const struct options *options;
    struct redis *redis;
    int64_t barrier_ms;
    char born[SCHEMA_BORN_SIZE]; /* from schema_agree; "": call it first */
    uint64_t connection;         /* of the last look */
    int64_t barred_until_ms;     /* monotonic: see is_barred */
    int64_t sealed_to_s; /* the last window sealed since the barrier began; 0:
                            none was */
    int64_t late_to_s; /* the last of them that was sealed late; 0: none was */
    int64_t kept_s; /* windows before this are past the retention; 0: unknown */
    int64_t
        skew_us; /* Redis's clock less that of this host, at the last look */
    struct window_memory memory;
};

struct window_closer *
window_closer_open(const struct options *options, struct redis *redis,
                   int64_t barrier_ms)
{
    struct window_closer *closer = calloc(1, sizeof(*closer));

    if (closer == NULL) {
        return NULL;
    }
    closer->options = options;
    closer->redis = redis;
    closer->barrier_ms = barrier_ms;
    window_memory_init(&closer->memory, options);
    return closer;
}

void
window_closer_close(struct window_closer *closer)
{
    free(closer);
}

void
window_closer_remember(struct window_closer *closer,
                       const struct window_sinks *sinks)
{
    closer->memory.sinks = *sinks;
}

int64_t
window_closer_implausible_from_s(const struct window_closer *closer)
{
    const struct window_memory *memory = &closer->memory;

    return memory->on_s == 0
               ? 0
               : window_memory_implausible_from_s(memory, memory->on_s);
}

/*
 * The oldest window that is still reported. It is one window younger than the
 * retention, so that no count expires before it is recorded. If the retention
 * is shorter than three windows, the windows that have just ended are reported
 * all the same.
 */
static int64_t
horizon_s(const struct window_closer *closer, int64_t now_ms)
{
    int64_t length_s = closer->options->window.seconds;
    int64_t kept_s = closer->options->window.retention_hours * 3600;

    kept_s = int64_max(kept_s, 3 * length_s) - length_s;
    return window_start(now_ms / 1000 - kept_s - 1, length_s) + length_s;
}

/* Starts a call that has the keys and arguments of window.lua. */
static struct command *
start_call(struct window_closer *closer, const struct redis_script *script,
           const struct key_parts *parts)
{
    struct command *call = redis_call(closer->redis, script);

    keys_add(call, KEY_SEALED, parts);
    keys_add(call, KEY_BORN, parts);
    return call;
}

static void
add_args(struct window_closer *closer, struct command *call)
{
    redis_arg_int(call, closer->options->window.seconds);
    redis_arg(call, closer->born, strlen(closer->born));
}

/* Runs window-look.lua once, and compares the clocks. */
static enum redis_result
run_look(struct window_closer *closer, const struct redis_reply **reply)
{
    struct key_parts parts = {.prefix = closer->options->redis.prefix,
                              .tag = closer->options->redis.tag};
    struct command *call = start_call(closer, &script_window_look, &parts);
    int64_t before_ms = clock_wall_ms();
    enum redis_result result;
    int64_t now_ms;

    keys_add(call, KEY_LOST, &parts);
    add_args(closer, call);
    result = redis_run(closer->redis, reply);
    if (result == REDIS_DONE &&
        redis_reply_int(redis_reply_at(*reply, 0), &now_ms)) {
        closer->skew_us = now_ms * 1000 - (before_ms + clock_wall_ms()) * 500;
    }
    return result;
}

/*
 * Looks at the state of Redis, without changing it. An empty reply says that
 * Redis's data was reset: schema_agree() comes first then.
 */
static int
take_look(struct window_closer *closer, struct window_look *look)
{
    const struct redis_reply *reply;

    if (window_stream_last(closer->redis, closer->options->redis.prefix,
                           &look->last) < 0 ||
        run_look(closer, &reply) != REDIS_DONE) {
        return -1;
    }
    if (redis_reply_count(reply) == 0 &&
        (schema_agree(closer->options, closer->redis, closer->born) !=
             REDIS_DONE ||
         run_look(closer, &reply) != REDIS_DONE)) {
        return -1;
    }
    look->born = closer->born;
    return redis_reply_int(redis_reply_at(reply, 0), &look->now_ms) &&
                   redis_reply_int(redis_reply_at(reply, 1), &look->on_s) &&
                   redis_reply_int(redis_reply_at(reply, 2), &look->born_s) &&
                   redis_reply_int(redis_reply_at(reply, 3), &look->lost_s)
               ? 0
               : -1;
}

/*
 * Seals those of `count` windows from first_s on that have ended. Their counts
 * are in *reply. If Redis's data was reset since the last look, nothing is
 * sealed and *reply is empty.
 */
static int
run_seal(struct window_closer *closer, int64_t first_s, size_t count,
         const struct redis_reply **reply)
{
    struct key_parts parts = {.prefix = closer->options->redis.prefix,
                              .tag = closer->options->redis.tag,
                              .strategy = schema_strategy(closer->options)};
    struct command *call = start_call(closer, &script_window_seal, &parts);

    keys_add(call, KEY_OPEN, &parts);
    keys_add(call, KEY_LOST, &parts);
    keys_add(call, KEY_RECORDED, &parts);
    for (size_t i = 0; i < count; i++) {
        parts.window_s = first_s + (int64_t)i * closer->options->window.seconds;
        keys_add(call, KEY_COUNT, &parts);
        keys_add(call, KEY_WHOLE, &parts);
        keys_add(call, KEY_SETS, &parts);
        keys_add(call, KEY_SEEN_SET, &parts); /* without the set's number */
    }
    add_args(closer, call);
    redis_arg_int(call, first_s);
    return redis_run(closer->redis, reply) == REDIS_DONE ? 0 : -1;
}

/*
 * True if it connected, or saw that Redis's data was reset, just now: others
 * that remember more than Redis does may not have written it yet.
 */
static bool
is_barred(const struct window_closer *closer)
{
    return clock_mono_ms() < closer->barred_until_ms;
}

/* Remembers a look. A new connection or new data starts the barrier. */
static void
apply_look(struct window_closer *closer, const struct window_look *look)
{
    uint64_t connection = redis_connection(closer->redis);
    bool is_new = window_memory_take_look(&closer->memory, look);

    if (is_new || connection != closer->connection) {
        closer->barred_until_ms = clock_mono_ms() + closer->barrier_ms;
        closer->sealed_to_s = 0;
        closer->late_to_s = 0;
    }
    closer->connection = connection;
    if (closer->kept_s > look->on_s) {
        closer->kept_s = 0; /* the clock was ahead by over the retention */
    }
}

/*
 * True if a window is sealed late at now_ms: more than a window after its end.
 * The barrier makes no window late that was sealed in time.
 */
static bool
is_late(const struct window_closer *closer, int64_t start_s, int64_t now_ms)
{
    int64_t length_s = closer->options->window.seconds;

    return start_s <= closer->sealed_to_s
               ? start_s <= closer->late_to_s
               : now_ms > (start_s + 2 * length_s) * 1000;
}

/* Notes that windows were sealed, oldest first: the older one is the later. */
static void
note_sealed(struct window_closer *closer, const struct window_record *records,
            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        closer->sealed_to_s =
            int64_max(closer->sealed_to_s, records[i].start_s);
        if (records[i].late) {
            closer->late_to_s =
                int64_max(closer->late_to_s, records[i].start_s);
        }
    }
}

/* Makes the records of `count` windows out of the reply of run_seal. */
static void
make_records(const struct window_closer *closer, int64_t first_s,
             int64_t now_ms, const struct redis_reply *reply,
             struct window_record *records, size_t count)
{
    int64_t length_s = closer->options->window.seconds;

    for (size_t i = 0; i < count; i++) {
        struct window_record *record = &records[i];
        int64_t start_s = first_s + (int64_t)i * length_s;

        *record =
            (struct window_record){.start_s = start_s, .length_s = length_s};
        record->late = is_late(closer, start_s, now_ms);
        record->gap =
            !redis_reply_int(redis_reply_at(reply, COUNTS_AT + i),
                             &record->count) ||
            window_memory_differs(&closer->memory, start_s, record->count);
    }
}

/* Notes the records, at least one, that this reporter has added at now_ms. */
static void
note_own(const struct window_record *records, size_t count, int64_t now_ms,
         struct window_closer_sealed *sealed)
{
    const struct window_record *last = &records[count - 1];

    for (size_t i = 0; i < count; i++) {
        if (records[i].gap) {
            sealed->gaps++;
            sealed->last_gap_s = records[i].start_s;
        } else if (records[i].late) {
            sealed->own_lates++;
        }
    }
    sealed->own = count;
    sealed->last.start_s = last->start_s;
    sealed->last.length_s = last->length_s;
    sealed->last.count = last->gap ? -1 : last->count;
    sealed->delay_ms = now_ms - (last->start_s + last->length_s) * 1000;
}

static int
record_windows(struct window_closer *closer,
               const struct window_record *records, size_t count,
               int64_t now_ms, struct window_closer_sealed *sealed)
{
    struct window_stream_added added;

    if (window_stream_append(closer->redis, closer->options->redis.prefix,
                             closer->kept_s, records, count, &added) < 0) {
        return -1;
    }
    window_memory_note_records(&closer->memory, records, count, added.last_s);
    sealed->records = count;
    added.count = size_min(added.count, count);
    if (added.count > 0) {
        note_own(records + count - added.count, added.count, now_ms, sealed);
    }
    return 0;
}

/* Seals and records those of `count` windows from first_s on that ended. */
static int
close_windows(struct window_closer *closer, int64_t first_s, size_t count,
              struct window_closer_sealed *sealed)
{
    struct window_record records[WINDOW_CLOSER_MOST];
    const struct redis_reply *reply;
    int64_t now_ms;

    if (run_seal(closer, first_s, count, &reply) < 0) {
        return -1;
    }
    if (redis_reply_count(reply) == 0) {
        return 0; /* the next look starts from the new data */
    }
    if (redis_reply_count(reply) < COUNTS_AT ||
        !redis_reply_int(redis_reply_at(reply, 0), &now_ms)) {
        return -1;
    }
    count = size_min(count, redis_reply_count(reply) - COUNTS_AT);
    make_records(closer, first_s, now_ms, reply, records, count);
    note_sealed(closer, records, count);
    return window_memory_note_gaps(&closer->memory, records, count) ||
                   is_barred(closer)
               ? 0
               : record_windows(closer, records, count, now_ms, sealed);
}

/*
 * Runs marks-settle.lua, for windows from first_s on. If Redis's data was reset
 * since the last look, nothing is done: the next look starts from the new data.
 */
static int
run_settle(struct window_closer *closer, int64_t first_s, int64_t *late)
{
    struct key_parts parts = {.prefix = closer->options->redis.prefix,
                              .tag = closer->options->redis.tag};
    struct command *call = redis_call(closer->redis, &script_marks_settle);
    const char *synced = redis_syncs_always(closer->redis) ? "always" : "";
    const struct redis_reply *reply;

    keys_add(call, KEY_BORN, &parts);
    keys_add(call, KEY_LOST, &parts);
    keys_add(call, KEY_MARKS, &parts);
    keys_add(call, KEY_UNCONFIRMED, &parts);
    keys_add(call, KEY_RECORDED, &parts);
    keys_add(call, KEY_RUN, &parts);
    keys_add(call, KEY_SEALED, &parts);
    redis_arg(call, closer->born, strlen(closer->born));
    redis_arg_int(call, closer->options->window.seconds);
    redis_arg_int(call, first_s);
    redis_arg_int(call, closer->memory.lost_from_s);
    redis_arg_int(call, closer->memory.lost_to_s);
    redis_arg_int(call, !is_barred(closer));
    redis_arg(call, synced, strlen(synced));
    redis_arg_int(call, closer->memory.newest_s);
    if (redis_run(closer->redis, &reply) != REDIS_DONE) {
        return -1;
    }
    redis_reply_int(redis_reply_at(reply, 0), late);
    return 0;
}

/*
 * The end of the windows to be closed. A responder may have left a master that
 * this reporter takes for the master still: so a window is left open until the
 * reporter must have heard of that.
 */
static int64_t
closable_s(const struct window_closer *closer, const struct window_look *look)
{
    int64_t wait_ms = redis_follow_ms(closer->redis);

    return wait_ms == 0
               ? look->on_s
               : int64_min(look->on_s,
                           window_start((look->now_ms - wait_ms) / 1000,
                                        closer->options->window.seconds));
}

/* The time until the next call, if all windows that have ended were closed. */
static int64_t
left_ms(const struct window_closer *closer, const struct window_look *look)
{
    int64_t window_ms =
        (closable_s(closer, look) + closer->options->window.seconds) * 1000 +
        redis_follow_ms(closer->redis) - look->now_ms;
    int64_t barred_ms = closer->barred_until_ms - clock_mono_ms();

    return barred_ms > 0 ? int64_min(window_ms, barred_ms) : window_ms;
}

int64_t
window_closer_seal(struct window_closer *closer, size_t most,
                   struct window_closer_sealed *sealed)
{
    int64_t length_s = closer->options->window.seconds;
    int64_t first_s, kept_s, end_s;
    struct window_look look;
    size_t ended = 0;

    *sealed = (struct window_closer_sealed){0};
    if (take_look(closer, &look) < 0) {
        return -1;
    }
    apply_look(closer, &look);
    sealed->last = look.last;
    sealed->skew_us = closer->skew_us;
    first_s = window_memory_first_open_s(&closer->memory, &look);
    sealed->ahead = first_s > look.on_s;
    /* Never back: records that were trimmed do not come back. */
    closer->kept_s = int64_max(closer->kept_s, horizon_s(closer, look.now_ms));
    kept_s = int64_max(first_s, closer->kept_s);
    if (run_settle(closer, kept_s, &sealed->late) < 0) {
        return -1;
    }
    end_s = closable_s(closer, &look);
    if (end_s > kept_s) {
        ended = (size_t)((end_s - kept_s) / length_s);
        most = size_min(most, WINDOW_CLOSER_MOST);
        if (close_windows(closer, kept_s, size_min(ended, most), sealed) < 0) {
            return -1;
        }
        sealed->skipped =
            sealed->records == 0 ? 0 : (kept_s - first_s) / length_s;
    }
    return ended > sealed->records && !is_barred(closer)
               ? 0
               : left_ms(closer, &look);
}

int
window_closer_read(struct window_closer *closer, int64_t after_s,
                   struct window_record *records, size_t most, int64_t *skipped)
{
    struct window_stream_view view = {
        .redis = closer->redis,
        .prefix = closer->options->redis.prefix,
        .length_s = closer->options->window.seconds,
        .kept_s = closer->kept_s,
    };

    return window_stream_read(&view, after_s, records, most, skipped);
}
