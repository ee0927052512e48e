/*
 * What the nodes of a Redis Cluster say of it: the reply to CLUSTER SLOTS, and
 * where an error sends a client. Private to this room.
 *
 * https://redis.io/docs/latest/commands/cluster-slots/
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
#ifndef CLUSTER_MAP_H
#define CLUSTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server_address.h"

struct redisReply;

enum { CLUSTER_NODES_MAX = 64 };

struct cluster_map {
    bool has_master; /* the slot is served: */
    struct server_address master;
    int64_t masters; /* that have slots; at most CLUSTER_NODES_MAX */
    /* Masters and replicas, each once. Those beyond the array are left out. */
    struct server_address nodes[CLUSTER_NODES_MAX];
    size_t node_count;
};

/*
 * Reads the reply of the node at asked_host: who is the master of a slot, and
 * which nodes there are. A node whose address is not known is left out. False:
 * it is no such reply.
 */
bool cluster_map_read(struct cluster_map *map, const struct redisReply *slots,
                      int slot, const char *asked_host);

/*
 * Reads an error of the node at asked_host, "MOVED <slot> <host>:<port>". False
 * if it names no node.
 */
bool cluster_map_moved(struct server_address *to, const char *error,
                       const char *asked_host);

#endif
