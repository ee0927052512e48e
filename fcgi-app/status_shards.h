/*
 * The shards on the status page: how each is, and what all of them have
 * together.
 */
#ifndef STATUS_SHARDS_H
#define STATUS_SHARDS_H

#include "store/store.h"

struct json_t;

/*
 * A row for each shard, the caller's: "shard", "node", "state" ("up",
 * "connecting", "down" or "unusable"), and unless it is up "error". NULL: there
 * is one shard, or no memory.
 */
struct json_t *status_shards_list(const struct store *store);

/*
 * Adds what another shard has to a look (status_look) at shard 0: ids of the
 * window, callbacks and those given up. Of the memory, that of the node which
 * is fuller stays.
 */
void status_shards_add(struct json_t *sum, const struct json_t *of_shard);

#endif
