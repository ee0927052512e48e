/*
 * window_closer: which windows to close, and whether their counts can be
 * trusted. Redis alone knows which windows are sealed and recorded; it is asked
 * each time. This module only keeps what tells lost data from a quiet time:
 * when Redis's data began, and how far the records went.
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

enum {
    SEEN = 2 * WINDOW_CLOSER_MOST, /* windows whose counts are remembered */
    BARRIER_MS = 1500,             /* see window_closer_barrier_ms */
    BARRIER_LEAST_MS = 2000,
    BEHIND_MAX_S = 600, /* see window_closer_implausible_from_s */
    COUNTS_AT = 3, /* index of the first count in window-seal.lua's reply */
};

/* A window that was recorded, and its count; -1: a gap. */
struct seen {
    int64_t start_s;
    int64_t count;
};

struct window_closer {
    const struct options *options;
    struct redis *redis;
    int64_t barrier_ms;
    char born[SCHEMA_BORN_SIZE]; /* from schema_agree; "": call it first */

    /* As of the last look; zeroed if there was none: */
    char seen_born[SCHEMA_BORN_SIZE];
    uint64_t connection; /* on which it was taken */
    int64_t on_s;        /* the window that was on */
    int64_t last_s;      /* the last window in the stream; 0: it was empty */

    int64_t first_born_s;    /* when Redis's data began, at the first look */
    int64_t barred_until_ms; /* monotonic: see is_barred */
    struct window_closer_sinks sinks;
    int64_t first_recorded_s; /* the first window that the stream had; 0: none
                                 is known */
    int64_t newest_s;       /* the last window known to be recorded; 0: none */
    struct seen seen[SEEN]; /* windows that were recorded, in a ring */
    size_t seen_at;         /* the next of them to be overwritten */
    int64_t lost_from_s;    /* windows from this one ... */
    int64_t lost_to_s;      /* ... up to this one are lost; 0: none is known */
    int64_t kept_s; /* windows before this are past the retention; 0: unknown */
};

/* The state of Redis at one moment. */
struct look {
    int64_t now_ms;
    int64_t on_s;   /* start of the window that is on */
    int64_t born_s; /* when its data began */
    int64_t lost_s; /* the first window that anybody knows to be lost, and that
                       is not recorded; 0: none */
    struct window_stream_end last;
};

int64_t
window_closer_barrier_ms(const struct options *options)
{
    return int64_max(BARRIER_MS + 2 * options->redis.timeout_ms,
                     BARRIER_LEAST_MS);
}

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
    return closer;
}

void
window_closer_close(struct window_closer *closer)
{
    free(closer);
}

void
window_closer_remember(struct window_closer *closer,
                       const struct window_closer_sinks *sinks)
{
    closer->sinks = *sinks;
}

/* As window_closer_implausible_from_s, if on_s is the window that is on. */
static int64_t
implausible_from_s(const struct window_closer *closer, int64_t on_s)
{
    return on_s + int64_max(10 * closer->options->window.seconds, BEHIND_MAX_S);
}

int64_t
window_closer_implausible_from_s(const struct window_closer *closer)
{
    return closer->on_s == 0 ? 0 : implausible_from_s(closer, closer->on_s);
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

/* Runs window-look.lua once. */
static enum redis_result
run_look(struct window_closer *closer, const struct redis_reply **reply)
{
    struct key_parts parts = {.prefix = closer->options->redis.prefix};

    struct command *call = start_call(closer, &script_window_look, &parts);

    keys_add(call, KEY_LOST, &parts);
    add_args(closer, call);
    return redis_run(closer->redis, reply);
}

/*
 * Looks at the state of Redis, without changing it. An empty reply says that
 * Redis's data was reset: schema_agree() comes first then.
 */
static int
take_look(struct window_closer *closer, struct look *look)
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
 * The first window after a window that may have another length. If
 * window.seconds was changed, earlier windows are aligned to the old length,
 * and the next window begins at the end of the last of them or later. If the
 * old length is not known (0), it begins anywhere after that window's start.
 */
static int64_t
next_s(const struct window_closer *closer, int64_t start_s,
       int64_t old_length_s)
{
    return window_next(start_s + int64_max(old_length_s, 1),
                       closer->options->window.seconds);
}

/* The window in which Redis's data began. */
static int64_t
birth_s(const struct window_closer *closer, int64_t born_s)
{
    return window_start(born_s, closer->options->window.seconds);
}

/*
 * Forgets windows of the future, which can't have been written. If a memory
 * has one, an operator set it by hand, or Redis's clock was ahead and its data
 * was reset since.
 */
static void
forget_future(struct window_closer *closer, const struct look *look)
{
    int64_t *memories[] = {&closer->sinks.oldest_s, &closer->sinks.newest_s,
                           &closer->newest_s};

    for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
        if (*memories[i] >= implausible_from_s(closer, look->on_s)) {
            *memories[i] = 0;
        }
    }
    if (closer->kept_s > look->on_s) {
        closer->kept_s = 0; /* the clock was ahead by over the retention */
    }
    closer->newest_s = int64_max(closer->newest_s, closer->sinks.newest_s);
}

/*
 * Notes that Redis's data was reset: counts up to the window in which the new
 * data began can't be trusted. If the last record is older than the data, an
 * operator deleted `meta` to change the schema (schema.lua): counts from there
 * to the beginning of the data follow the old schema. If all records are gone
 * and the data is no younger than they were, Redis went back to a state before
 * them: all is lost up to the window that is on.
 *
 * If Redis went back to a state with records, the responders know which windows
 * are hit (marks.h), and see count_differs.
 */
static void
notice_reset(struct window_closer *closer, const struct look *look)
{
    int64_t birth = birth_s(closer, look->born_s);
    bool reborn = closer->seen_born[0] != '\0' &&
                  strcmp(closer->born, closer->seen_born) != 0;
    bool new_schema = look->last.start_s != 0 && look->last.start_s < birth;
    bool unknown_records =
        closer->newest_s > look->last.start_s && closer->newest_s < birth;

    if (reborn || new_schema || unknown_records) {
        closer->lost_from_s = 0;
        closer->lost_to_s = int64_max(closer->lost_to_s, birth);
    }
    if (!reborn && look->last.start_s == 0 && closer->last_s != 0) {
        closer->lost_from_s = 0;
        closer->lost_to_s = int64_max(closer->lost_to_s, look->on_s);
    }
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

/* Notes that a window is recorded, with this count; -1: as a gap. */
static void
note_record(struct window_closer *closer, int64_t start_s, int64_t count)
{
    if (start_s > closer->newest_s) {
        closer->newest_s = start_s;
        closer->seen[closer->seen_at] =
            (struct seen){.start_s = start_s, .count = count};
        closer->seen_at = (closer->seen_at + 1) % SEEN;
    }
}

/* Keeps what a look tells, for the next looks. */
static void
remember_look(struct window_closer *closer, const struct look *look)
{
    const struct window_stream_end *last = &look->last;
    uint64_t connection = redis_connection(closer->redis);

    if (connection != closer->connection ||
        strcmp(closer->born, closer->seen_born) != 0) {
        closer->barred_until_ms = clock_mono_ms() + closer->barrier_ms;
    }
    closer->connection = connection;
    memcpy(closer->seen_born, closer->born, sizeof(closer->born));
    closer->on_s = look->on_s;
    closer->last_s = last->start_s;
    if (closer->first_born_s == 0) {
        closer->first_born_s = look->born_s;
    }
    if (last->first_s != 0) {
        closer->first_recorded_s = last->first_s;
    }
    note_record(closer, last->start_s, last->count);
}

/* What is remembered of the window; NULL: nothing. */
static const struct seen *
find_seen(const struct window_closer *closer, int64_t start_s)
{
    for (size_t i = 0; i < SEEN; i++) {
        if (closer->seen[i].start_s == start_s) {
            return &closer->seen[i];
        }
    }
    return NULL;
}

/*
 * True if a window that was recorded once has another count now: Redis went
 * back to an earlier state. False also for windows that were not recorded.
 */
static bool
count_differs(const struct window_closer *closer, int64_t start_s,
              int64_t count)
{
    const struct seen *seen = find_seen(closer, start_s);

    return seen != NULL ? seen->count != count : start_s <= closer->newest_s;
}

/* True if the window was recorded as a gap: that tells nothing of the next. */
static bool
was_gap(const struct window_closer *closer, int64_t start_s)
{
    const struct seen *seen = find_seen(closer, start_s);

    return seen != NULL && seen->count == -1;
}

/*
 * The first window that is not recorded. If the stream is empty, that is the
 * window after the last window that every sink has; if a sink has none, the
 * first that was recorded; else the first window of Redis's data. A window that
 * others know to be lost may come before: one of their sinks lacks it.
 */
static int64_t
first_open_s(const struct window_closer *closer, const struct look *look)
{
    int64_t first_s;

    if (look->last.start_s != 0) {
        return next_s(closer, look->last.start_s, look->last.length_s);
    }
    if (closer->sinks.oldest_s != 0) {
        first_s = next_s(closer, closer->sinks.oldest_s, 0);
    } else if (closer->newest_s != 0) {
        first_s = next_s(closer, closer->newest_s, 0);
    } else {
        first_s = birth_s(closer, closer->first_born_s);
    }
    if (closer->sinks.empty && closer->first_recorded_s != 0) {
        first_s = int64_min(first_s, closer->first_recorded_s);
    }
    return look->lost_s != 0 ? int64_min(first_s, look->lost_s) : first_s;
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
        record->late = now_ms > (start_s + 2 * length_s) * 1000;
        record->gap = !redis_reply_int(redis_reply_at(reply, COUNTS_AT + i),
                                       &record->count) ||
                      count_differs(closer, start_s, record->count);
    }
}

static void
note_gaps(const struct window_record *records, size_t count,
          struct window_closer_sealed *sealed)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].gap) {
            sealed->gaps++;
            sealed->last_gap_s = records[i].start_s;
        }
    }
}

/*
 * Notes windows that were recorded once and have another count now, so that
 * run_settle tells all reporters. If that holds for the last of them, the
 * window after it was on when Redis lost its data, and is lost as well, unless
 * the last was a gap before. True if there are new ones.
 */
static bool
notice_differences(struct window_closer *closer,
                   const struct window_record *records, size_t count)
{
    int64_t from_s = 0, to_s = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t start_s = records[i].start_s;

        if (records[i].gap && start_s <= closer->newest_s) {
            from_s = from_s == 0 ? start_s : from_s;
            to_s = start_s == closer->newest_s && !was_gap(closer, start_s)
                       ? next_s(closer, start_s, 0)
                       : start_s;
        }
    }
    if (to_s <= closer->lost_to_s) {
        return false;
    }
    if (closer->lost_to_s < records[0].start_s) {
        closer->lost_from_s = from_s;
    }
    closer->lost_to_s = to_s;
    return true;
}

static int
record_windows(struct window_closer *closer,
               const struct window_record *records, size_t count,
               struct window_closer_sealed *sealed)
{
    struct window_stream_added added;

    if (window_stream_append(closer->redis, closer->options->redis.prefix,
                             closer->kept_s, records, count, &added) < 0) {
        return -1;
    }
    closer->last_s = added.last_s;
    for (size_t i = 0; i < count; i++) {
        note_record(closer, records[i].start_s,
                    records[i].gap ? -1 : records[i].count);
    }
    sealed->records = count;
    added.count = size_min(added.count, count);
    note_gaps(records + count - added.count, added.count, sealed);
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
    return notice_differences(closer, records, count) || is_barred(closer)
               ? 0
               : record_windows(closer, records, count, sealed);
}

/*
 * Runs marks-settle.lua, for windows from first_s on. If Redis's data was reset
 * since the last look, nothing is done: the next look starts from the new data.
 */
static int
run_settle(struct window_closer *closer, int64_t first_s, int64_t *late)
{
    struct key_parts parts = {.prefix = closer->options->redis.prefix};
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
    redis_arg_int(call, closer->lost_from_s);
    redis_arg_int(call, closer->lost_to_s);
    redis_arg_int(call, !is_barred(closer));
    redis_arg(call, synced, strlen(synced));
    redis_arg_int(call, closer->newest_s);
    if (redis_run(closer->redis, &reply) != REDIS_DONE) {
        return -1;
    }
    redis_reply_int(redis_reply_at(reply, 0), late);
    return 0;
}

/* The time until the next call, if all windows that have ended were closed. */
static int64_t
left_ms(const struct window_closer *closer, const struct look *look)
{
    int64_t window_ms =
        (look->on_s + closer->options->window.seconds) * 1000 - look->now_ms;
    int64_t barred_ms = closer->barred_until_ms - clock_mono_ms();

    return barred_ms > 0 ? int64_min(window_ms, barred_ms) : window_ms;
}

int64_t
window_closer_seal(struct window_closer *closer, size_t most,
                   struct window_closer_sealed *sealed)
{
    int64_t length_s = closer->options->window.seconds;
    int64_t first_s, kept_s;
    struct look look;
    size_t ended = 0;

    *sealed = (struct window_closer_sealed){0};
    if (take_look(closer, &look) < 0) {
        return -1;
    }
    forget_future(closer, &look);
    notice_reset(closer, &look);
    remember_look(closer, &look);
    first_s = first_open_s(closer, &look);
    sealed->ahead = first_s > look.on_s;
    /* Never back: records that were trimmed do not come back. */
    closer->kept_s = int64_max(closer->kept_s, horizon_s(closer, look.now_ms));
    kept_s = int64_max(first_s, closer->kept_s);
    if (run_settle(closer, kept_s, &sealed->late) < 0) {
        return -1;
    }
    if (look.on_s > kept_s) {
        ended = (size_t)((look.on_s - kept_s) / length_s);
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
