/*
 * All lanes of a responder, in rounds. A round is under way until all runs that
 * were started in it are over. If there are several shards, it lasts for 10 ms
 * at most: what is still under way then is late, and goes on beside the next
 * rounds.
 */
#ifndef LANES_H
#define LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "config/options.h"
#include "lane.h"
#include "pool_stats.h"
#include "store/store.h"

struct lanes;

/* The arguments are borrowed for its life. NULL: no memory. */
struct lanes *lanes_open(const struct options *options, struct store *store,
                         struct answers *answers, struct pool_stats *stats);
void lanes_close(struct lanes *lanes);

/* The lane of each shard, and their number. */
struct lane *const *lanes_list(const struct lanes *lanes);
size_t lanes_count(const struct lanes *lanes);

/* A round begins now (monotonic): what is late goes on, if it can. */
void lanes_begin(struct lanes *lanes, int64_t now_us);

/* The lane of the shard that has the id. */
struct lane *lanes_of(const struct lanes *lanes, int64_t id);

/* Starts what is due in each lane. */
void lanes_go(struct lanes *lanes);

/*
 * While the round is under way, lanes_step blocks until a reply of Redis is
 * there, or the round has lasted for long enough, and goes on with it.
 */
bool lanes_are_under_way(const struct lanes *lanes);
void lanes_step(struct lanes *lanes);

/* Tells the metrics how the lanes are. */
void lanes_tell(const struct lanes *lanes);

/* True while anything is under way, late or not. */
bool lanes_are_out(const struct lanes *lanes);

/* Milliseconds until another round is due; -1: never. */
int64_t lanes_wait_ms(const struct lanes *lanes);

/* Requests that have no answer yet. */
size_t lanes_held(const struct lanes *lanes);

/*
 * The last call: answers with 503 what has no answer yet. All lanes sign off at
 * the same time, which blocks for at most 3 x redis.timeout_ms.
 */
void lanes_end(struct lanes *lanes);

#endif
