/*
 * What a guide asks, and what the replies mean: of Sentinel, or of the nodes of
 * a Redis Cluster. Private to this room.
 */
#ifndef GUIDE_DIALECT_H
#define GUIDE_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis_url.h"
#include "server_address.h"

struct redisContext;
struct redisReply;

enum { GUIDE_NODES_MAX = 64 };

struct guide_question {
    const struct redis_url *url; /* borrowed */
    int slot;                    /* in a cluster: whose master it is */
};

struct guide_answer {
    struct server_address master;
    int64_t masters; /* in all; at most GUIDE_NODES_MAX */
    /* Other servers that can be asked. Those beyond the array are left out. */
    struct server_address nodes[GUIDE_NODES_MAX];
    size_t node_count;
};

struct guide_dialect {
    const char *server;  /* that is asked, for messages */
    const char *whose;   /* master, for messages: "the master " and so on */
    int64_t interval_ms; /* between two questions */
    /* Until all servers that are not cut off name a new master. */
    int64_t spread_ms;
    /* A master is not asked who is the master, if there are others: it may not
       know yet that it is none any more. */
    bool avoids_master;

    void (*ask)(struct redisContext *context,
                const struct guide_question *question);
    int replies; /* to the question; the last is the answer */
    /*
     * Takes a reply, counted from 0, of the server at asked_host; it is no
     * error. Returns NULL, or why it is of no use.
     */
    const char *(*take)(struct guide_answer *answer,
                        const struct redisReply *reply, int number,
                        const struct guide_question *question,
                        const char *asked_host);

    /* Asks whether the server is cut off from the others. NULL: never. */
    void (*check)(struct redisContext *context,
                  const struct guide_question *question);
    bool (*is_cut_off)(const struct redisReply *reply);

    /* Writes what the master is the master of, for messages. */
    void (*describe)(char *text, size_t size,
                     const struct guide_question *question);

    /* What an operator can do about an error; "": nothing. */
    const char *(*advice)(const char *error);
};

extern const struct guide_dialect sentinel_dialect;
extern const struct guide_dialect cluster_dialect;

#endif
