/*
 * The reporter's side of the windows: closing them by Redis's clock, recording
 * what they counted, and reading the records. A closed window is *sealed*
 * first: from then on no id can enter it (accept-setnx.lua looks), so that the
 * count that was read is final. Records are a stream, one entry a window, its
 * id the window's start: in order and idempotent, whoever writes them.
 */
#ifndef WINDOWS_H
#define WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "option.h"
#include "redis.h"

struct windows;

struct window_record {
    int64_t start_s; /* of the window, epoch seconds */
    int64_t count;   /* unique ids; nothing where gap */
    bool late;       /* sealed more than a window after its end */
    bool gap;        /* Redis lost this window's data */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct windows *windows_open(const struct options *options,
                             struct redis *redis);
void windows_close(struct windows *windows);

/*
 * Seals and records the windows that have ended, oldest first, at most most of
 * them. Returns the milliseconds until the window that is on ends by Redis's
 * clock, 0 where more wait to be closed, or -1 where Redis is away.
 */
int64_t windows_seal(struct windows *windows, size_t most);

/*
 * Reads at most most records that start after after_s, oldest first, into
 * records. Returns how many, or -1 where Redis is away.
 */
int windows_read(struct windows *windows, int64_t after_s,
                 struct window_record *records, size_t most);

/*
 * The start of the last window that sink `name` has written: 0 where it has
 * none. -1 where Redis is away.
 */
int windows_cursor(struct windows *windows, const char *name, int64_t *start_s);

/* Moves that cursor forward, never back. 0, or -1 where Redis is away. */
int windows_advance(struct windows *windows, const char *name, int64_t start_s);

#endif
