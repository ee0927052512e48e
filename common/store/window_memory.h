/*
 * What a reporter remembers of windows, so that it notices if Redis loses data:
 * when the data began, which windows were recorded with which counts, and what
 * the sinks have. Nothing here asks Redis.
 */
#ifndef WINDOW_MEMORY_H
#define WINDOW_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "schema.h"
#include "window_stream.h"

/* Which windows the sinks have written. */
struct window_sinks {
    int64_t oldest_s; /* the last window of the sink furthest behind, of those
                         that have any; 0: not known */
    int64_t newest_s; /* the last window of the sink furthest ahead; 0: not
                         known */
    bool empty;       /* there is a sink that has no window yet */
};

/* The state of a shard at one moment. */
struct window_look_shard {
    const char *born; /* identifies its data: see schema_agree; borrowed */
    int64_t born_s;   /* when its data began, by the clock of shard 0, or
                         later */
    int64_t lost_s;   /* the first window that anybody knows to be lost, and
                         that is not recorded; 0: none */
};

/* The state of all shards at one moment. */
struct window_look {
    int64_t now_ms; /* by the clock of shard 0, as all here */
    int64_t on_s;   /* start of the window that is on */
    const struct window_look_shard *shards; /* as many as window_memory has;
                                               borrowed */
    struct window_stream_end last;
};

/* Windows whose counts are remembered: twice as many as are closed at once. */
enum { WINDOW_MEMORY_SEEN = 256 };

/* A window that was recorded, and its count; -1: a gap. */
struct window_seen {
    int64_t start_s;
    int64_t count;
};

/* What is remembered of a shard. */
struct window_memory_shard {
    char born[SCHEMA_BORN_SIZE]; /* as of the last look; "": there was none */
    int64_t lost_from_s;         /* windows from this one ... */
    int64_t lost_to_s; /* ... up to this one are lost; 0: none is known */
};

struct window_memory {
    const struct options *options;
    struct window_memory_shard *shards;
    size_t count; /* of shards */

    /* As of the last look; zeroed if there was none: */
    int64_t on_s;   /* the window that was on */
    int64_t last_s; /* the last window in the stream; 0: it was empty */

    int64_t first_born_s; /* when the data of shard 0 began, at the first look:
                             no shard has counted before */
    struct window_sinks sinks;
    int64_t first_recorded_s; /* the first window that the stream had; 0: none
                                 is known */
    int64_t newest_s; /* the last window known to be recorded; 0: none */
    struct window_seen seen[WINDOW_MEMORY_SEEN]; /* recorded; a ring */
    size_t seen_at; /* the next of them to be overwritten */
};

/* Nothing is remembered yet. options is borrowed for its life. 0, or -1: no
   memory. */
int window_memory_init(struct window_memory *memory,
                       const struct options *options, size_t shards);
void window_memory_fini(struct window_memory *memory);

/*
 * The first window that can't have been written yet, if on_s is on: ten minutes
 * or ten windows later, whichever is more.
 */
int64_t window_memory_implausible_from_s(const struct window_memory *memory,
                                         int64_t on_s);

/*
 * Compares a look with what is remembered, notes in lost_from_s and lost_to_s
 * of each shard what is lost, and remembers the look. True if the data of a
 * shard is another than at the last look, or it is the first.
 */
bool window_memory_take_look(struct window_memory *memory,
                             const struct window_look *look);

/* The first window that is not recorded, after window_memory_take_look. */
int64_t window_memory_first_open_s(const struct window_memory *memory,
                                   const struct window_look *look);

/*
 * True if a window that was recorded once has another count now: Redis went
 * back to an earlier state. False also for windows that were not recorded.
 */
bool window_memory_differs(const struct window_memory *memory, int64_t start_s,
                           int64_t count);

/*
 * Notes in lost_from_s and lost_to_s of shard 0 those gaps among records that
 * were recorded before. If the last record that is known is among them, the
 * window after it was on when Redis lost its data, and is lost as well, unless
 * that record was a gap. True if there are new ones.
 */
bool window_memory_note_gaps(struct window_memory *memory,
                             const struct window_record *records, size_t count);

/* Notes that records are in the stream, whose last window is last_s. */
void window_memory_note_records(struct window_memory *memory,
                                const struct window_record *records,
                                size_t count, int64_t last_s);

#endif
