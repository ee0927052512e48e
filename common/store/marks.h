/*
 * What a responder has confirmed to clients, so that it notices if Redis loses
 * data. Each batch leaves a mark in Redis: its sequence number and its window.
 * If the mark is older than the last batch that was confirmed, Redis lost the
 * batches in between, and their windows become gaps (lua/marks-confirm.lua).
 *
 * The memory holds the windows that are not known to be recorded, as ranges
 * with the number of the last batch in them. There are MARKS_RANGES of them; if
 * the reporters are away for longer, the oldest two are joined.
 */
#ifndef MARKS_H
#define MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

enum {
    MARKS_RANGES = 128,
    MARKS_MOST = 16384,   /* windows of a range that are written at once */
    MARKS_NAME_SIZE = 17, /* 16 hexadecimal digits and a NUL */
    MARKS_TEXT_SIZE = 48, /* "<sequence number> <window>" and a NUL */
};

/* Windows in which batches were confirmed. */
struct marks_range {
    int64_t first_s;
    int64_t last_s;
    int64_t sequence; /* of the last of these batches */
    int64_t jobs;     /* callbacks that these batches queued */
};

struct marks {
    char name[MARKS_NAME_SIZE];              /* random: of this responder */
    char confirmed[MARKS_TEXT_SIZE];         /* mark of the last batch that was
                                                confirmed; "": none was */
    char pending[MARKS_TEXT_SIZE];           /* mark of the batch under way */
    int64_t sequence;                        /* of the batch under way */
    struct marks_range ranges[MARKS_RANGES]; /* oldest first */
    size_t count;
};

/* Data that Redis lost after it was confirmed to clients. */
struct marks_loss {
    int64_t first_s; /* first window that is hit */
    int64_t last_s;  /* last window that is hit */
    int64_t lost;    /* windows that become gaps; 0: none */
    int64_t late;    /* windows that are recorded already, with what was left */
    int64_t jobs;    /* callbacks that may be lost, at most; 0: none */
};

/* No batch was confirmed yet. */
void marks_init(struct marks *marks);

/* Adds name, confirmed mark and the mark of a new batch to an accept script. */
void marks_add_batch(struct marks *marks, struct command *call,
                     int64_t window_s);

/* The batch of the last marks_add_batch was confirmed; it queued `jobs`. */
void marks_confirm_batch(struct marks *marks, int64_t window_s, int64_t jobs);

/* True if there are windows that are not known to be recorded. */
bool marks_is_needed(const struct marks *marks);

/* True if there may be a mark in Redis, of a batch that was confirmed or not.
 */
bool marks_has_sent(const struct marks *marks);

/*
 * Starts the call of marks-confirm.lua, which compares the memory with Redis.
 * born: see schema.h. If sign_off, nothing is to be noticed any more, as this
 * responder ends.
 */
void marks_call(const struct marks *marks, const struct options *options,
                struct redis *redis, const char *born, bool sign_off);

/*
 * Takes the reply of marks-confirm.lua: forgets the windows that are recorded.
 * Returns what was lost; lost, late and jobs are 0 if nothing was.
 */
struct marks_loss marks_take_reply(struct marks *marks,
                                   const struct redis_reply *reply);

#endif
