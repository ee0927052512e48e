/*
 * windows: which windows to close, and whether their counts can be believed.
 * What is closed and recorded is Redis's to say, at each look anew; here is
 * kept only what tells lost data from a quiet time: when Redis's data began,
 * and how far the records went. So any number of reporters may do this.
 */
#include "window_closer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "gaps.h"
#include "schema.h"
#include "window-seal.lua.h"
#include "window.h"

enum { BEHIND_MAX_S = 600 }; /* see window_closer_implausible_from_s */

struct window_closer {
    const struct options *options;
    struct redis *redis;
    char agreed[SCHEMA_BORN_SIZE]; /* born of the data agreed on; "": none */
    int64_t born_s;   /* when Redis's data began, as last seen; 0: not seen */
    int64_t on_s;     /* the window that is on, as last seen; 0: not seen */
    int64_t oldest_s; /* the sink furthest behind has this window; 0: unknown */
    int64_t
        newest_delivered_s; /* the one furthest ahead has that; 0: unknown */
    int64_t newest_s;       /* the last window known to be recorded; 0: none */
    int64_t lost_s;         /* no count can be believed up to this window */
    int64_t kept_s; /* what starts before is past the retention; 0: unknown */
};

/* What Redis says at one look. */
struct look {
    int64_t now_ms;
    int64_t on_s;   /* start of the window that is on */
    int64_t born_s; /* when its data began */
    struct window_stream_end last;
};

struct window_closer *
window_closer_open(const struct options *options, struct redis *redis)
{
    struct window_closer *closer = calloc(1, sizeof(*closer));

    if (closer == NULL) {
        return NULL;
    }
    closer->options = options;
    closer->redis = redis;
    return closer;
}

void
window_closer_close(struct window_closer *closer)
{
    free(closer);
}

void
window_closer_remember(struct window_closer *closer, int64_t oldest_s,
                       int64_t newest_s)
{
    closer->oldest_s = oldest_s;
    closer->newest_delivered_s = newest_s;
}

/* As window_closer_implausible_from_s; on_s is the window that is on. */
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
 * The oldest window that is still reported. One window less than the
 * retention, so that no count expires while it is on its way; but always
 * those that have just ended, however short the retention is.
 */
static int64_t
horizon_s(const struct window_closer *closer, int64_t now_ms)
{
    int64_t length_s = closer->options->window.seconds;
    int64_t kept_s = closer->options->window.retention_hours * 3600;

    kept_s = int64_max(kept_s, 3 * length_s) - length_s;
    return window_start(now_ms / 1000 - kept_s - 1, length_s) + length_s;
}

/* Runs the script once. Its reply is empty where the data began anew. */
static int
ask_seal(struct window_closer *closer, int64_t first_s, size_t count,
         const struct redis_reply **reply)
{
    struct command *call = redis_call(closer->redis, &script_window_seal);
    const char *prefix = closer->options->redis.prefix;
    int64_t length_s = closer->options->window.seconds;

    redis_key(call, "%s:" SCHEMA_SHARD ":sealed", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":born", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":open", prefix);
    for (size_t i = 0; i < count; i++) {
        redis_key(call, "%s:" SCHEMA_SHARD ":count:%" PRId64, prefix,
                  first_s + (int64_t)i * length_s);
    }
    redis_arg_int(call, length_s);
    redis_arg_int(call, first_s);
    redis_arg(call, closer->agreed, strlen(closer->agreed));
    return redis_run(closer->redis, reply) == REDIS_DONE ? 0 : -1;
}

/*
 * Seals those of the count windows from first_s on that have ended. *reply has
 * their counts from COUNTS_AT on. Sets what this says in *look.
 */
enum { COUNTS_AT = 3 };

static int
run_seal(struct window_closer *closer, int64_t first_s, size_t count,
         struct look *look, const struct redis_reply **reply)
{
    if (ask_seal(closer, first_s, count, reply) < 0) {
        return -1;
    }
    if (redis_reply_count(*reply) == 0 &&
        (schema_agree(closer->options, closer->redis, closer->agreed) !=
             REDIS_DONE ||
         ask_seal(closer, first_s, count, reply) < 0)) {
        return -1;
    }
    if (!redis_reply_int(redis_reply_at(*reply, 0), &look->now_ms) ||
        !redis_reply_int(redis_reply_at(*reply, 1), &look->on_s) ||
        !redis_reply_int(redis_reply_at(*reply, 2), &look->born_s)) {
        return -1;
    }
    return 0;
}

static int
take_look(struct window_closer *closer, struct look *look)
{
    const struct redis_reply *reply;

    if (window_stream_last(closer->redis, closer->options->redis.prefix,
                           &look->last) < 0) {
        return -1;
    }
    return run_seal(closer, 0, 0, look, &reply);
}

/*
 * The first window after one that may be of another length: once window.seconds
 * is changed, what was recorded and sealed before is on the old grid. What
 * comes after is on the new one, and begins where that one ended, or later.
 * Where its length is not known (0), anything after its start.
 */
static int64_t
next_s(const struct window_closer *closer, int64_t start_s,
       int64_t old_length_s)
{
    return window_next(start_s + int64_max(old_length_s, 1),
                       closer->options->window.seconds);
}

/* The window that held the beginning of Redis's data. */
static int64_t
birth_s(const struct window_closer *closer, int64_t born_s)
{
    return window_start(born_s, closer->options->window.seconds);
}

/*
 * Forgets what can't be: that a window of the future is written. A hand wrote
 * that, or Redis's clock was ahead and its data is gone since.
 */
static void
forget_future(struct window_closer *closer, const struct look *look)
{
    int64_t *memories[] = {&closer->oldest_s, &closer->newest_delivered_s,
                           &closer->newest_s};

    for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
        if (*memories[i] >= implausible_from_s(closer, look->on_s)) {
            *memories[i] = 0;
        }
    }
    if (closer->kept_s > look->on_s) {
        closer->kept_s = 0; /* the clock was ahead by more than is kept */
    }
    closer->newest_s = int64_max(closer->newest_s, closer->newest_delivered_s);
}

/*
 * Notes a loss: the data began anew, or the records end before what we know of
 * them. The window in which that happened can't be believed either: that of
 * the new beginning, or the one that was on after the last record. A record
 * that is older than the data is of another agreement (schema.lua): whatever
 * was counted from there to the new beginning, the old rules counted.
 */
static void
notice_loss(struct window_closer *closer, const struct look *look)
{
    int64_t birth = birth_s(closer, look->born_s);
    bool reborn = closer->born_s != 0 && look->born_s != closer->born_s;
    bool renewed = look->last.start_s != 0 && look->last.start_s < birth;

    if (reborn || renewed || look->last.start_s < closer->newest_s) {
        closer->lost_s = int64_max(closer->lost_s, birth);
    }
    if (look->last.start_s < closer->newest_s) {
        closer->lost_s =
            int64_max(closer->lost_s, next_s(closer, closer->newest_s, 0));
    }
}

/*
 * The first window that is not recorded. Where nothing is: the one after what
 * every sink has, else the first that we saw Redis have data of.
 */
static int64_t
first_open_s(const struct window_closer *closer, const struct look *look)
{
    if (look->last.start_s != 0) {
        return next_s(closer, look->last.start_s, look->last.length_s);
    }
    if (closer->oldest_s != 0) {
        return next_s(closer, closer->oldest_s, 0);
    }
    if (closer->newest_s != 0) {
        return next_s(closer, closer->newest_s, 0);
    }
    return birth_s(closer, closer->born_s != 0 ? closer->born_s : look->born_s);
}

/* Makes the records of the count windows whose counts are in a seal's reply. */
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
        record->gap = start_s <= closer->lost_s ||
                      !redis_reply_int(redis_reply_at(reply, COUNTS_AT + i),
                                       &record->count);
    }
}

static size_t
count_gaps(const struct window_record *records, size_t count)
{
    size_t gaps = 0;

    for (size_t i = 0; i < count; i++) {
        gaps += records[i].gap;
    }
    return gaps;
}

/* Seals and records up to count windows from first_s on. */
static int
close_windows(struct window_closer *closer, int64_t first_s, size_t count,
              struct window_closer_sealed *sealed)
{
    struct window_record records[WINDOW_CLOSER_MOST];
    const struct redis_reply *reply;
    struct window_stream_end end;
    struct look look;

    if (run_seal(closer, first_s, count, &look, &reply) < 0) {
        return -1;
    }
    count = size_min(count, redis_reply_count(reply) - COUNTS_AT);
    make_records(closer, first_s, look.now_ms, reply, records, count);
    if (window_stream_add(closer->redis, closer->options->redis.prefix,
                          closer->kept_s, records, count, &end) < 0) {
        return -1;
    }
    closer->newest_s = int64_max(closer->newest_s, end.start_s);
    sealed->records = count;
    sealed->gaps = count_gaps(records, count);
    return 0;
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
    closer->on_s = look.on_s;
    forget_future(closer, &look);
    notice_loss(closer, &look);
    first_s = first_open_s(closer, &look);
    sealed->ahead = first_s > look.on_s;
    /* Never back, as what was trimmed does not come back either. */
    closer->kept_s = int64_max(closer->kept_s, horizon_s(closer, look.now_ms));
    kept_s = int64_max(first_s, closer->kept_s);
    closer->born_s = look.born_s;
    closer->newest_s = int64_max(closer->newest_s, look.last.start_s);
    if (look.on_s > kept_s) {
        ended = (size_t)((look.on_s - kept_s) / length_s);
        most = size_min(most, WINDOW_CLOSER_MOST);
        if (close_windows(closer, kept_s, size_min(ended, most), sealed) < 0) {
            return -1;
        }
        sealed->skipped = (kept_s - first_s) / length_s;
    }
    return ended > sealed->records
               ? 0
               : (look.on_s + length_s) * 1000 - look.now_ms;
}

int
window_closer_read(struct window_closer *closer, int64_t after_s,
                   struct window_record *records, size_t most, int64_t *skipped)
{
    struct window_stream_view between = {
        .redis = closer->redis,
        .prefix = closer->options->redis.prefix,
        .length_s = closer->options->window.seconds,
        .kept_s = closer->kept_s,
    };

    return window_stream_read_gaps(&between, after_s, records,
                                   size_min(most, WINDOW_CLOSER_MOST), skipped);
}
