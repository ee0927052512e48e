/*
 * The words of an accept script (lua/accept.lua): the keys and arguments that
 * count a batch and queue its callbacks, and its reply.
 */
#ifndef ACCEPT_CALL_H
#define ACCEPT_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "dedup_strategy.h"
#include "marks.h"
#include "redis/redis.h"
#include "shard_news.h"

/* What is the same for all batches of a counter; all is borrowed. */
struct accept_call {
    const struct options *options;
    struct redis *redis;
    const char *born; /* see schema_agree */
    struct marks *marks;
    const struct shard_news *news; /* NULL if there is only one shard */
};

/*
 * Starts the call on accept->redis, with a new mark, and sets batch->jobs. 0,
 * or -1 if there is no memory.
 */
int accept_call_start(const struct accept_call *accept,
                      struct dedup_batch *batch);

/*
 * How much of Redis's memory the callbacks of one shard may take, in bytes: its
 * part of callbacks.max_queue_mb. By default the callbacks of all shards that
 * are in one Redis may take a quarter of its maxmemory, so that ids without a
 * callback are counted even if the queue is full.
 */
int64_t accept_call_max_queue_bytes(const struct options *options,
                                    const struct redis *redis);

/* The reply of an accept script. */
struct accept_reply {
    bool counted;     /* false: nothing was done */
    bool data_reset;  /* Redis's data was reset: call schema_agree() again */
    bool data_lost;   /* run marks-confirm.lua first */
    int64_t window_s; /* the window that is on, if nothing was done */
    int64_t left_ms;  /* until that window ends, by the clock of shard 0; in
                         other shards without meaning */
    int64_t sets;     /* the window's number of sets, if the caller's guess of
                         it was wrong; else 0 */
    int64_t added;    /* by how much the window's count grew */
    int64_t jobs;     /* how many of the batch's jobs were queued: the first */
};

/* Reads the script's reply; false if it is none. */
bool accept_call_read(const struct redis_reply *reply,
                      struct accept_reply *read);

#endif
