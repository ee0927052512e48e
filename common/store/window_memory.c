/*
 * window_memory: what is lost follows from comparing what was seen earlier with
 * what Redis has now.
 */
#include "window_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "window.h"

enum { BEHIND_MAX_S = 600 }; /* see window_memory_implausible_from_s */

int
window_memory_init(struct window_memory *memory, const struct options *options,
                   size_t shards)
{
    *memory = (struct window_memory){.options = options, .count = shards};
    memory->shards = calloc(shards, sizeof(*memory->shards));
    return memory->shards == NULL ? -1 : 0;
}

void
window_memory_fini(struct window_memory *memory)
{
    free(memory->shards);
    memory->shards = NULL;
}

int64_t
window_memory_implausible_from_s(const struct window_memory *memory,
                                 int64_t on_s)
{
    return on_s + int64_max(10 * memory->options->window.seconds, BEHIND_MAX_S);
}

/*
 * The first window after a window that may have another length. If
 * window.seconds was changed, earlier windows are aligned to the old length,
 * and the next window begins at the end of the last of them or later. If the
 * old length is not known (0), it begins anywhere after that window's start.
 */
static int64_t
next_s(const struct window_memory *memory, int64_t start_s,
       int64_t old_length_s)
{
    return window_next(start_s + int64_max(old_length_s, 1),
                       memory->options->window.seconds);
}

/* The window in which Redis's data began. */
static int64_t
birth_s(const struct window_memory *memory, int64_t born_s)
{
    return window_start(born_s, memory->options->window.seconds);
}

/*
 * Forgets windows of the future, which can't have been written. If a memory
 * has one, an operator set it by hand, or Redis's clock was ahead and its data
 * was reset since.
 */
static void
forget_future(struct window_memory *memory, const struct window_look *look)
{
    int64_t *memories[] = {&memory->sinks.oldest_s, &memory->sinks.newest_s,
                           &memory->newest_s};

    for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
        if (*memories[i] >=
            window_memory_implausible_from_s(memory, look->on_s)) {
            *memories[i] = 0;
        }
    }
    memory->newest_s = int64_max(memory->newest_s, memory->sinks.newest_s);
}

/*
 * Notes that the data of a shard was reset: counts up to the window in which
 * the new data began can't be trusted. If the last record is older than the
 * data, an operator deleted `meta` to change the schema (schema.lua): counts
 * from there to the beginning of the data follow the old schema. Of several
 * shards, the data of one may have begun later than that of another. So only
 * the first look tells this.
 *
 * If all records are gone and the data is no younger than they were, Redis went
 * back to a state before them: all is lost up to the window that is on. If
 * there are several shards, their counts need not have been where the records
 * were, and the windows are recorded again. If Redis went back to a state with
 * records, the responders know which windows are hit (marks.h), and see
 * window_memory_differs.
 */
static void
notice_reset(struct window_memory *memory, const struct window_look *look,
             size_t i)
{
    struct window_memory_shard *shard = &memory->shards[i];
    const char *born = look->shards[i].born;
    int64_t birth = birth_s(memory, look->shards[i].born_s);
    bool reborn = shard->born[0] != '\0' && strcmp(born, shard->born) != 0;
    bool new_schema = look->last.start_s != 0 && look->last.start_s < birth &&
                      (memory->count == 1 || strcmp(born, shard->born) != 0);
    bool unknown_records =
        memory->newest_s > look->last.start_s && memory->newest_s < birth;

    if (reborn || new_schema || unknown_records) {
        shard->lost_from_s = 0;
        shard->lost_to_s = int64_max(shard->lost_to_s, birth);
    }
    if (memory->count == 1 && !reborn && look->last.start_s == 0 &&
        memory->last_s != 0) {
        shard->lost_from_s = 0;
        shard->lost_to_s = int64_max(shard->lost_to_s, look->on_s);
    }
}

/* Notes that a window is recorded, with this count; -1: as a gap. */
static void
note_record(struct window_memory *memory, int64_t start_s, int64_t count)
{
    if (start_s > memory->newest_s) {
        memory->newest_s = start_s;
        memory->seen[memory->seen_at] =
            (struct window_seen){.start_s = start_s, .count = count};
        memory->seen_at = (memory->seen_at + 1) % WINDOW_MEMORY_SEEN;
    }
}

/* Keeps what a look tells, for the next looks. */
static void
remember(struct window_memory *memory, const struct window_look *look)
{
    const struct window_stream_end *last = &look->last;

    for (size_t i = 0; i < memory->count; i++) {
        const char *born = look->shards[i].born;

        memcpy(memory->shards[i].born, born, strlen(born) + 1);
    }
    memory->on_s = look->on_s;
    memory->last_s = last->start_s;
    if (memory->first_born_s == 0) {
        memory->first_born_s = look->shards[0].born_s;
    }
    if (last->first_s != 0) {
        memory->first_recorded_s = last->first_s;
    }
    note_record(memory, last->start_s, last->count);
}

bool
window_memory_take_look(struct window_memory *memory,
                        const struct window_look *look)
{
    bool is_new = false;

    forget_future(memory, look);
    for (size_t i = 0; i < memory->count; i++) {
        is_new |= strcmp(look->shards[i].born, memory->shards[i].born) != 0;
        notice_reset(memory, look, i);
    }
    remember(memory, look);
    return is_new;
}

/* What is remembered of the window; NULL: nothing. */
static const struct window_seen *
find_seen(const struct window_memory *memory, int64_t start_s)
{
    for (size_t i = 0; i < WINDOW_MEMORY_SEEN; i++) {
        if (memory->seen[i].start_s == start_s) {
            return &memory->seen[i];
        }
    }
    return NULL;
}

bool
window_memory_differs(const struct window_memory *memory, int64_t start_s,
                      int64_t count)
{
    const struct window_seen *seen = find_seen(memory, start_s);

    return seen != NULL ? seen->count != count : start_s <= memory->newest_s;
}

/* True if the window was recorded as a gap: that tells nothing of the next. */
static bool
was_gap(const struct window_memory *memory, int64_t start_s)
{
    const struct window_seen *seen = find_seen(memory, start_s);

    return seen != NULL && seen->count == -1;
}

/*
 * The first window that is not recorded. If the stream is empty, that is the
 * window after the last window that every sink has; if a sink has none, the
 * first that was recorded; else the first window of Redis's data. A window that
 * others know to be lost may come before: one of their sinks lacks it.
 */
int64_t
window_memory_first_open_s(const struct window_memory *memory,
                           const struct window_look *look)
{
    int64_t first_s;

    if (look->last.start_s != 0) {
        return next_s(memory, look->last.start_s, look->last.length_s);
    }
    if (memory->sinks.oldest_s != 0) {
        first_s = next_s(memory, memory->sinks.oldest_s, 0);
    } else if (memory->newest_s != 0) {
        first_s = next_s(memory, memory->newest_s, 0);
    } else {
        first_s = birth_s(memory, memory->first_born_s);
    }
    if (memory->sinks.empty && memory->first_recorded_s != 0) {
        first_s = int64_min(first_s, memory->first_recorded_s);
    }
    for (size_t i = 0; i < memory->count; i++) {
        if (look->shards[i].lost_s != 0) {
            first_s = int64_min(first_s, look->shards[i].lost_s);
        }
    }
    return first_s;
}

bool
window_memory_note_gaps(struct window_memory *memory,
                        const struct window_record *records, size_t count)
{
    struct window_memory_shard *first = &memory->shards[0];
    int64_t from_s = 0, to_s = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t start_s = records[i].start_s;

        if (records[i].gap && start_s <= memory->newest_s) {
            from_s = from_s == 0 ? start_s : from_s;
            to_s = start_s == memory->newest_s && !was_gap(memory, start_s)
                       ? next_s(memory, start_s, 0)
                       : start_s;
        }
    }
    if (to_s <= first->lost_to_s) {
        return false;
    }
    if (first->lost_to_s < records[0].start_s) {
        first->lost_from_s = from_s;
    }
    first->lost_to_s = to_s;
    return true;
}

void
window_memory_note_records(struct window_memory *memory,
                           const struct window_record *records, size_t count,
                           int64_t last_s)
{
    memory->last_s = last_s;
    for (size_t i = 0; i < count; i++) {
        note_record(memory, records[i].start_s,
                    records[i].gap ? -1 : records[i].count);
    }
}
