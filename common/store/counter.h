/*
 * Counting, on the responder's side: one run of a script in Redis counts all
 * ids of a batch or does nothing. window_closer.h is the reporter's side.
 *
 * A counter counts the ids of one shard. If there are several shards, a
 * responder has a counter for each; they share what they have heard
 * (shard_news.h), and none of their functions blocks.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "marks.h"
#include "probe.h"
#include "redis/redis.h"
#include "shard_news.h"
#include "trace_context.h"

struct counter;

enum counter_answer {
    COUNTER_UNAVAILABLE, /* not confirmed by Redis: the client may try again */
    COUNTER_COUNTED,     /* the id is in the window, new or not */
    COUNTER_QUEUE_FULL,  /* no room for the callback; nothing was counted */
};

struct counter_request {
    int64_t id;
    const char *endpoint; /* borrowed, checked; NULL if there is no callback */
    size_t endpoint_len;
    const struct trace_context *trace; /* for the callback, borrowed; NULL: it
                                          has none */
    enum counter_answer answer;        /* set when the batch is over */
};

/* The window in which a batch was counted, and how long that may be reused. */
struct counter_window {
    int64_t start_s;  /* start of the window; 0: nothing was counted */
    int64_t born_us;  /* when Redis's data began; changes if it is reset */
    int64_t until_ms; /* monotonic; 0 if start_s is 0 */
    int64_t added;    /* by how much the window's count grew */
};

/* The scripts that a counter runs. */
enum counter_script {
    COUNTER_ACCEPT,  /* counts a batch */
    COUNTER_CONFIRM, /* compares what was confirmed with what Redis has */
    COUNTER_SCHEMA,  /* compares the settings */
    COUNTER_PULSE,   /* hears of a shard, if there are several */
    COUNTER_PROBE,   /* of counter_start_probe */
    COUNTER_SCRIPTS_COUNT,
};

/* Receives each run of a script: its result, and how many microseconds it took
   (without meaning if nothing was sent: REDIS_AWAY). */
typedef void counter_observer(void *context, enum counter_script script,
                              enum redis_result result, int64_t us);

/*
 * options (a view of the shard, see shard.h, if there are several) and redis
 * are borrowed for its life. NULL: no memory.
 */
struct counter *counter_open(const struct options *options,
                             struct redis *redis);
void counter_close(struct counter *counter);

/*
 * If there are several shards, comes before anything else: news is shared by
 * the counters of all shards, and borrowed for the counter's life.
 */
void counter_share(struct counter *counter, struct shard_news *news);

/* Sets who is told of each run; context is borrowed for the counter's life. */
void counter_observe(struct counter *counter, counter_observer *observer,
                     void *context);

/* Whether a batch can be counted now. */
enum counter_state {
    COUNTER_READY,
    COUNTER_WAITS, /* not yet, but it may be soon: the connection is being made,
                      or the window is not known yet */
    COUNTER_AWAY,  /* no: Redis is away */
};

/* Only if there are several shards. */
enum counter_state counter_state(const struct counter *counter);

/*
 * Starts to count requests[0..count), none to options->accept.max_batch of
 * them, in the window that is on by the clock of shard 0, and to queue the
 * callbacks of the requests that have an endpoint. requests is borrowed until
 * the batch is over. First, if it is due, what was confirmed to clients is
 * compared with what Redis has, or the shard is heard of: see counter_idle_ms,
 * counter_take_loss.
 *
 * True while the batch is under way: call redis_await, then counter_step. False
 * once it is over: every answer is set. Blocks only while a connection is being
 * made; the whole is over 2 x redis.timeout_ms after since_us (monotonic: when
 * the first request came). What Redis surely has not
 * done (MOVED, for example) is sent again within that time.
 *
 * If there are several shards, it never blocks. While it is under way, call
 * counter_step if redis_fd is readable (after redis_step), or counter_due_ms is
 * over. Unless counter_state is COUNTER_READY, all answers but of an empty
 * batch would be COUNTER_UNAVAILABLE.
 */
bool counter_start(struct counter *counter, struct counter_request *requests,
                   size_t count, int64_t since_us);
bool counter_step(struct counter *counter);

/*
 * While it is under way: milliseconds until counter_step has something to do
 * although nothing has come from Redis: a time limit is over.
 */
int64_t counter_due_ms(const struct counter *counter);

/*
 * The window of the requests that were counted in the batch that is over.
 * Until until_ms a further request for one of their ids needs no round trip:
 * the window is still on, and Redis answered less than redis.timeout_ms ago.
 */
struct counter_window counter_result(const struct counter *counter);

/*
 * Milliseconds until counter_start has something to do even without a request:
 * once a second and after each connect, to find out whether Redis lost what was
 * confirmed; if there are several shards, also each SHARD_NEWS_MS, to hear of
 * the shard. -1: nothing, as all of that is recorded, or Redis is away.
 */
int64_t counter_idle_ms(const struct counter *counter);

/* True if Redis lost data since the last call: sets *loss, for the log. */
bool counter_take_loss(struct counter *counter, struct marks_loss *loss);

/*
 * For a responder that ends: compares for the last time, and removes its mark,
 * so that it does not count as missing. Goes on as counter_start does, for at
 * most 2 x redis.timeout_ms, but not if Redis is away.
 */
bool counter_start_sign_off(struct counter *counter);

/*
 * Starts to find out whether Redis would count a batch now: it is there, agrees
 * with the schema, accepts writes and has redis.wait_replicas replicas. Writes
 * the key `ready` to know. Goes on as counter_start does; counter_probed has
 * the result once it is over.
 */
bool counter_start_probe(struct counter *counter);
struct probe counter_probed(const struct counter *counter);

/*
 * True if the last batch or probe failed because Redis refused it or had too
 * few replicas (see redis_error), and not because Redis was away.
 */
bool counter_was_refused(const struct counter *counter);

#endif
