/*
 * cluster_map: a node may name a host in four ways. "" is itself, before it has
 * met another node, and null a host that only the client knows: both mean the
 * host that was asked (redis.conf, cluster-preferred-endpoint-type). "?" is a
 * node without the announced name that is preferred: then its address is among
 * the metadata, which are pairs of texts.
 */
#include "cluster_map.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/util.h"

/* The indexes in a range of slots, and in a node. */
enum { RANGE_FIRST, RANGE_LAST, RANGE_MASTER };
enum { NODE_HOST, NODE_PORT, NODE_ID, NODE_METADATA };

static const redisReply *
element(const redisReply *reply, size_t i, int type)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                   i < reply->elements && reply->element[i]->type == type
               ? reply->element[i]
               : NULL;
}

/* The text of a pair; NULL if there is none of this name. */
static const redisReply *
metadata_of(const redisReply *node, const char *name)
{
    const redisReply *pairs = element(node, NODE_METADATA, REDIS_REPLY_ARRAY);

    for (size_t i = 0; pairs != NULL && i + 1 < pairs->elements; i += 2) {
        const redisReply *key = element(pairs, i, REDIS_REPLY_STRING);

        if (key != NULL && strcmp(key->str, name) == 0) {
            return element(pairs, i + 1, REDIS_REPLY_STRING);
        }
    }
    return NULL;
}

/* False if the node has no address that can be used. */
static bool
read_node(struct server_address *address, const redisReply *node,
          const char *asked_host)
{
    const redisReply *host = element(node, NODE_HOST, REDIS_REPLY_STRING);
    const redisReply *port = element(node, NODE_PORT, REDIS_REPLY_INTEGER);

    if (port == NULL) {
        return false;
    }
    if (host != NULL && strcmp(host->str, "?") == 0) {
        host = metadata_of(node, "ip");
    } else if (element(node, NODE_HOST, REDIS_REPLY_NIL) != NULL ||
               (host != NULL && host->len == 0)) {
        return server_address_set(address, asked_host, strlen(asked_host),
                                  port->integer);
    }
    return host != NULL && server_address_set(address, host->str,
                                              (size_t)host->len, port->integer);
}

/* True if the node was not there. */
static bool
add_node(struct guide_answer *answer, const struct server_address *node)
{
    for (size_t i = 0; i < answer->node_count; i++) {
        if (server_address_equals(&answer->nodes[i], node->host, node->port)) {
            return false;
        }
    }
    if (answer->node_count < GUIDE_NODES_MAX) {
        answer->nodes[answer->node_count++] = *node;
        return true;
    }
    return false;
}

/* The masters first, so that they are counted while they are added. */
static void
add_masters(struct guide_answer *answer, const redisReply *slots, int slot,
            const char *asked_host)
{
    struct server_address node;

    for (size_t i = 0; i < slots->elements; i++) {
        const redisReply *range = slots->element[i];
        const redisReply *first =
            element(range, RANGE_FIRST, REDIS_REPLY_INTEGER);
        const redisReply *last =
            element(range, RANGE_LAST, REDIS_REPLY_INTEGER);

        if (first == NULL || last == NULL ||
            !read_node(&node, element(range, RANGE_MASTER, REDIS_REPLY_ARRAY),
                       asked_host)) {
            continue;
        }
        answer->masters += add_node(answer, &node);
        if (first->integer <= slot && slot <= last->integer) {
            answer->master = node;
        }
    }
}

static void
add_replicas(struct guide_answer *answer, const redisReply *slots,
             const char *asked_host)
{
    struct server_address node;

    for (size_t i = 0; i < slots->elements; i++) {
        const redisReply *range = slots->element[i];

        for (size_t j = RANGE_MASTER + 1; element(range, j, REDIS_REPLY_ARRAY);
             j++) {
            if (read_node(&node, range->element[j], asked_host)) {
                add_node(answer, &node);
            }
        }
    }
}

bool
cluster_map_read(struct guide_answer *answer, const redisReply *slots, int slot,
                 const char *asked_host)
{
    memset(answer, 0, sizeof(*answer));
    if (slots->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    add_masters(answer, slots, slot, asked_host);
    add_replicas(answer, slots, asked_host);
    return true;
}

bool
cluster_map_moved(struct server_address *to, const char *error,
                  const char *asked_host)
{
    const char *host, *colon;
    int64_t port;

    if (!starts_with(error, "MOVED ")) {
        return false;
    }
    host = strchr(error + strlen("MOVED "), ' ');
    colon = strrchr(error, ':');
    if (host == NULL || colon == NULL || colon <= host ||
        !decimal_parse(colon + 1, strlen(colon + 1), &port)) {
        return false;
    }
    host++;
    return colon == host
               ? server_address_set(to, asked_host, strlen(asked_host), port)
               : server_address_set(to, host, (size_t)(colon - host), port);
}
