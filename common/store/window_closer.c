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
#include "window.h"
#include "window_shards.h"

struct window_closer {
    const struct options *options;
    struct window_shards shards;
    struct redis *records; /* for the key `windows` */
    int64_t barrier_ms;
    int64_t barred_until_ms; /* monotonic: see is_barred */
    int64_t sealed_to_s; /* the last window sealed since the barrier began; 0:
                            none was */
    int64_t late_to_s; /* the last of them that was sealed late; 0: none was */
    int64_t kept_s; /* windows before this are past the retention; 0: unknown */
    struct window_memory memory;
};

struct window_closer *
window_closer_open(const struct window_closer_settings *settings)
{
    struct window_closer *closer = calloc(1, sizeof(*closer));

    if (closer == NULL) {
        return NULL;
    }
    closer->options = settings->shards[0].options;
    closer->records = settings->records;
    closer->barrier_ms = settings->barrier_ms;
    closer->shards.count = settings->count;
    closer->shards.list = calloc(settings->count, sizeof(*closer->shards.list));
    if (window_memory_init(&closer->memory, closer->options, settings->count) <
            0 ||
        closer->shards.list == NULL) {
        window_closer_close(closer);
        return NULL;
    }
    for (size_t i = 0; i < settings->count; i++) {
        closer->shards.list[i].options = settings->shards[i].options;
        closer->shards.list[i].redis = settings->shards[i].redis;
    }
    return closer;
}

void
window_closer_close(struct window_closer *closer)
{
    if (closer != NULL) {
        window_memory_fini(&closer->memory);
        free(closer->shards.list);
        free(closer);
    }
}

const struct redis *
window_closer_failed(const struct window_closer *closer)
{
    return closer->shards.failed;
}

int64_t
window_closer_skew_us(const struct window_closer *closer, size_t shard)
{
    return closer->shards.list[shard].skew_us;
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

/*
 * Looks at the state of Redis, without changing it. 0, or -1. shards: room for
 * the look at each.
 */
static int
take_look(struct window_closer *closer, struct window_look *look,
          struct window_look_shard *shards)
{
    if (window_stream_last(closer->records, closer->options->redis.prefix,
                           &look->last) < 0) {
        return window_shards_fail(&closer->shards, closer->records);
    }
    if (window_shards_look(&closer->shards) < 0) {
        return -1;
    }
    look->now_ms = closer->shards.list[0].now_ms;
    look->on_s = closer->shards.list[0].on_s;
    look->shards = shards;
    for (size_t i = 0; i < closer->shards.count; i++) {
        const struct window_shard *shard = &closer->shards.list[i];

        shards[i] = (struct window_look_shard){
            .born = shard->born,
            .born_s = window_shards_born_s(&closer->shards, i),
            .lost_s = shard->lost_s};
    }
    return 0;
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
    bool is_new = window_memory_take_look(&closer->memory, look);

    for (size_t i = 0; i < closer->shards.count; i++) {
        struct window_shard *shard = &closer->shards.list[i];
        uint64_t connection = redis_connection(shard->redis);

        is_new |= connection != shard->connection;
        shard->connection = connection;
    }
    if (is_new) {
        closer->barred_until_ms = clock_mono_ms() + closer->barrier_ms;
        closer->sealed_to_s = 0;
        closer->late_to_s = 0;
    }
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

/* Makes the records of the windows from first_s on that were sealed. */
static void
make_records(const struct window_closer *closer, int64_t first_s,
             const struct window_shards_sealed *sealed,
             struct window_record *records)
{
    int64_t length_s = closer->options->window.seconds;

    for (size_t i = 0; i < sealed->count; i++) {
        struct window_record *record = &records[i];
        int64_t start_s = first_s + (int64_t)i * length_s;

        *record =
            (struct window_record){.start_s = start_s, .length_s = length_s};
        record->late = is_late(closer, start_s, sealed->now_ms);
        record->gap =
            !window_shards_sum(&closer->shards, sealed, i, &record->count) ||
            window_memory_differs(&closer->memory, start_s, record->count);
    }
}

/*
 * Tells the shards which windows are recorded, if they do not know: from the
 * records of windows after after_s, and of at most WINDOW_STREAM_MOST; the next
 * look goes on. 0, or -1.
 */
static int
tell_recorded(struct window_closer *closer, int64_t after_s)
{
    struct window_stream_view view = {.redis = closer->records,
                                      .prefix = closer->options->redis.prefix,
                                      .length_s =
                                          closer->options->window.seconds};
    struct window_record records[WINDOW_STREAM_MOST];
    int64_t skipped;
    int count = window_stream_read(&view, after_s, records, WINDOW_STREAM_MOST,
                                   &skipped);

    if (count < 0) {
        return window_shards_fail(&closer->shards, closer->records);
    }
    return count == 0
               ? 0
               : window_shards_tell(&closer->shards, records, (size_t)count);
}

/*
 * Tells the shards what another reporter, or this one before it was started
 * again, has recorded and not told. last_s: the last record. A shard that knows
 * nothing has new data: only the last records are of use for it. 0, or -1.
 */
static int
mend_recorded(struct window_closer *closer, int64_t last_s)
{
    int64_t most_s = WINDOW_STREAM_MOST * closer->options->window.seconds;
    int64_t after_s = last_s;

    for (size_t i = 0; i < closer->shards.count; i++) {
        int64_t recorded_s = closer->shards.list[i].recorded_s;

        after_s =
            int64_min(after_s, recorded_s == 0 ? last_s - most_s : recorded_s);
    }
    return last_s != 0 && after_s < last_s ? tell_recorded(closer, after_s) : 0;
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

    if (window_stream_append(closer->records, closer->options->redis.prefix,
                             closer->kept_s, records, count, &added) < 0) {
        return window_shards_fail(&closer->shards, closer->records);
    }
    window_memory_note_records(&closer->memory, records, count, added.last_s);
    sealed->records = count;
    added.count = size_min(added.count, count);
    if (added.count > 0) {
        note_own(records + count - added.count, added.count, now_ms, sealed);
    }
    /* If this fails, the next look mends it. */
    (void)tell_recorded(closer, records[0].start_s - 1);
    return 0;
}

/* Seals and records those of `count` windows from first_s on that ended. */
static int
close_windows(struct window_closer *closer, int64_t first_s, size_t count,
              struct window_closer_sealed *result)
{
    struct window_record records[WINDOW_CLOSER_MOST];
    struct window_shards_sealed sealed;

    if (window_shards_seal(&closer->shards, first_s, count, &sealed) < 0) {
        return -1;
    }
    if (sealed.count == 0) {
        return 0;
    }
    make_records(closer, first_s, &sealed, records);
    note_sealed(closer, records, sealed.count);
    return window_memory_note_gaps(&closer->memory, records, sealed.count) ||
                   is_barred(closer)
               ? 0
               : record_windows(closer, records, sealed.count, sealed.now_ms,
                                result);
}

/*
 * Has all shards write down what this reporter remembers, for windows from
 * first_s on. 0, or -1.
 */
static int
settle(struct window_closer *closer, int64_t first_s, int64_t *late)
{
    struct window_settlement settlements[OPTIONS_SHARDS_MAX];

    for (size_t i = 0; i < closer->shards.count; i++) {
        const struct window_memory_shard *known = &closer->memory.shards[i];

        settlements[i] =
            (struct window_settlement){.first_s = first_s,
                                       .lost_from_s = known->lost_from_s,
                                       .lost_to_s = known->lost_to_s,
                                       .confirmed = !is_barred(closer),
                                       .newest_s = closer->memory.newest_s};
    }
    return window_shards_settle(&closer->shards, settlements, late);
}

/*
 * The end of the windows to be closed. A responder may have left a master that
 * this reporter takes for the master still: so a window is left open until the
 * reporter must have heard of that.
 */
static int64_t
closable_s(const struct window_closer *closer, const struct window_look *look)
{
    int64_t wait_ms = window_shards_follow_ms(&closer->shards);

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
        window_shards_follow_ms(&closer->shards) - look->now_ms;
    int64_t barred_ms = closer->barred_until_ms - clock_mono_ms();

    return barred_ms > 0 ? int64_min(window_ms, barred_ms) : window_ms;
}

int64_t
window_closer_seal(struct window_closer *closer, size_t most,
                   struct window_closer_sealed *sealed)
{
    int64_t length_s = closer->options->window.seconds;
    int64_t first_s, kept_s, end_s;
    struct window_look_shard shards[OPTIONS_SHARDS_MAX];
    struct window_look look;
    size_t ended = 0;

    *sealed = (struct window_closer_sealed){0};
    closer->shards.failed = NULL;
    if (take_look(closer, &look, shards) < 0 ||
        mend_recorded(closer, look.last.start_s) < 0) {
        return -1;
    }
    apply_look(closer, &look);
    sealed->last = look.last;
    first_s = window_memory_first_open_s(&closer->memory, &look);
    sealed->ahead = first_s > look.on_s;
    /* Never back: records that were trimmed do not come back. */
    closer->kept_s = int64_max(closer->kept_s, horizon_s(closer, look.now_ms));
    kept_s = int64_max(first_s, closer->kept_s);
    if (settle(closer, kept_s, &sealed->late) < 0) {
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
        .redis = closer->records,
        .prefix = closer->options->redis.prefix,
        .length_s = closer->options->window.seconds,
        .kept_s = closer->kept_s,
    };

    return window_stream_read(&view, after_s, records, most, skipped);
}
