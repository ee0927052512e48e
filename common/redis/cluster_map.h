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

#include "guide_dialect.h"

/*
 * Reads the reply of the node at asked_host: who is the master of a slot, and
 * which nodes there are. A node whose address is not known is left out; if that
 * is the master, or there is none, its host is "". False: it is no such reply.
 */
bool cluster_map_read(struct guide_answer *answer,
                      const struct redisReply *slots, int slot,
                      const char *asked_host);

/*
 * Reads an error of the node at asked_host, "MOVED <slot> <host>:<port>". False
 * if it names no node.
 */
bool cluster_map_moved(struct server_address *to, const char *error,
                       const char *asked_host);

#endif
