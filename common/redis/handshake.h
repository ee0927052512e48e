/*
 * What is said to Redis on a new connection, in one go, before anything else:
 * password, database, our name, a look at its policy and port, and the user's
 * own question. Private to redis*.c.
 *
 * The eviction policy is asked for twice, as an ACL or a renamed command may
 * forbid either: by INFO, and by CONFIG GET.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "command.h"
#include "redis.h"
#include "redis_url.h"

struct redisContext;

/* The commands, in the order of their replies. */
enum handshake_step {
    HANDSHAKE_AUTH,
    HANDSHAKE_SELECT,
    HANDSHAKE_NAME,
    HANDSHAKE_INFO,
    STEP_CONFIG,
    HANDSHAKE_ASK,
    HANDSHAKE_STEPS,
};

enum handshake_result {
    HANDSHAKE_WAITS,    /* not all replies are there */
    HANDSHAKE_DONE,     /* this Redis can be used */
    HANDSHAKE_BROKEN,   /* the connection is */
    HANDSHAKE_LATER,    /* it is loading, a replica, ...: a matter of time */
    HANDSHAKE_UNUSABLE, /* a human has to do something; see why */
};

struct handshake {
    const struct redis_url *url;
    const char *client_name;
    const struct redis_greeting *greeting;
    bool trust_noeviction;     /* if the policy can't be read */
    bool due[HANDSHAKE_STEPS]; /* replies that have not come yet */
    int64_t tcp_port;   /* where it listens, too; 0: nowhere, or not known */
    char policy[40];    /* maxmemory-policy; "": it can't be read */
    char unread[2][96]; /* why not by INFO, and by CONFIG GET */
    struct command call;
    char why[512]; /* the result, in words, but for WAITS and DONE */
};

/* Puts all commands into the output buffer. */
void handshake_send(struct handshake *handshake, struct redisContext *context);

/* Takes the replies that have come. */
enum handshake_result handshake_receive(struct handshake *handshake,
                                        struct redisContext *context);

/* After HANDSHAKE_DONE: what is trusted unseen, in words; NULL: nothing. */
const char *handshake_doubt(const struct handshake *handshake);

#endif
