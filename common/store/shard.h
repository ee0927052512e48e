/*
 * Shards: parts of the ids, each with keys of its own and so, in a Redis
 * Cluster, on a node of its own. All programs compute everything here from
 * redis.shards alone; nothing of it is stored.
 *
 * Each shard has a hash tag, a number in braces. The tags are chosen so that
 * the slots of the shards lie at equal distances: if the masters of a cluster
 * share the slots evenly, as they do when a cluster is created, and their
 * number divides that of the shards, each has equally many shards. The tag of
 * shard 0 is {0} for any number of shards. The tags of S shards are among
 * those of n x S shards.
 */
#ifndef SHARD_H
#define SHARD_H

#include <stdint.h>

#include "config/options.h"

/* The tag of a shard, 0 <= shard < shards: without braces, below 109,758. */
int64_t shard_tag(int64_t shard, int64_t shards);

/* The slot of the keys that have the tag: see key_slot.h. */
int shard_slot(int64_t tag);

/* The shard of an id, the same in all programs. */
int64_t shard_of(int64_t id, int64_t shards);

/*
 * Sets *view to the options as a part of a program sees them that deals with
 * one shard: with redis.shard and redis.tag, and with the shard's part of the
 * limits that are for the whole installation (callbacks.max_queue, .max_dead),
 * rounded up. Borrows the texts; options_fini is not for *view.
 */
void shard_view(struct options *view, const struct options *options,
                int64_t shard);

#endif
