/*
 * The handshake: the commands that are sent on each new connection before any
 * other, in one write: password, database, client name, questions about the
 * eviction policy, the persistence and the TCP port, and the checks of
 * redis_options. A review repeats those that only read, while the connection is
 * up. Private to this room.
 *
 * Two commands ask for the eviction policy and the persistence, INFO and CONFIG
 * GET, because an ACL or a renamed command may forbid one of them.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "command.h"
#include "peers.h"
#include "redis.h"
#include "redis_url.h"

struct redisContext;

/* The commands, in the order in which they are sent. */
enum handshake_step {
    HANDSHAKE_AUTH,
    HANDSHAKE_SELECT,
    HANDSHAKE_ROLE,
    HANDSHAKE_NAME,
    HANDSHAKE_INFO,
    HANDSHAKE_CONFIG,
    HANDSHAKE_RIGHTS,
    HANDSHAKE_CHECK,
    HANDSHAKE_STEPS,
};

enum handshake_result {
    HANDSHAKE_PENDING,  /* more replies are needed */
    HANDSHAKE_DONE,     /* this Redis can be used */
    HANDSHAKE_BROKEN,   /* what arrived is not Redis's protocol */
    HANDSHAKE_RETRY,    /* not now (loading, a replica, too many clients) */
    HANDSHAKE_UNUSABLE, /* not before an operator changes something */
};

struct handshake {
    const struct redis_url *url;
    const struct redis_options *options;
    struct peers *peers;           /* borrowed; notes the replicas */
    bool awaited[HANDSHAKE_STEPS]; /* the step was sent, without reply so far */
    int64_t tcp_port;              /* of this Redis; 0: none, or not known */
    int64_t max_memory;            /* in bytes; 0: no limit, or not known */
    int64_t used_memory;           /* in bytes; 0: not known */
    char appendonly[4];            /* yes or no; "": it cannot be read */
    bool was_replica;              /* it took over from another Redis */
    char appendfsync[16];          /* "": it cannot be read */
    char policy[40];               /* maxmemory-policy; "": it cannot be read */
    char policy_errors[2][96];     /* if so: why not by INFO, by CONFIG GET */
    char full_coverage[4];         /* of a cluster; "": it cannot be read */
    char warning[768];             /* see handshake_warning */
    struct command command;        /* the call of a check */
    char why[800];          /* the reason for BROKEN, RETRY and UNUSABLE */
    enum redis_fault fault; /* the kind of reason for UNUSABLE */
};

/* Starts the handshake: adds all commands to the output buffer of context. */
void handshake_send(struct handshake *handshake, struct redisContext *context);

/* As handshake_send, for a review. */
void handshake_send_review(struct handshake *handshake,
                           struct redisContext *context);

/* Takes the replies that have arrived. Does not block. */
enum handshake_result handshake_receive(struct handshake *handshake,
                                        struct redisContext *context);

/*
 * A warning for the operator after HANDSHAKE_DONE; NULL: none. It is valid
 * until the next call.
 */
const char *handshake_warning(struct handshake *handshake);

#endif
