/*
 * What is said to Redis on a new connection, in one go, before anything else:
 * password, database, our name, a look at its policy and port, and the user's
 * own question. Private to redis*.c.
 */
#ifndef REDIS_GREETER_H
#define REDIS_GREETER_H

#include "redis.h"
#include "redis_call.h"
#include "redis_url.h"

struct redisContext;

/* The commands, in the order of their replies. */
enum redis_greeter_step {
    STEP_AUTH,
    STEP_SELECT,
    STEP_NAME,
    STEP_INFO,
    STEP_ASK,
    STEPS,
};

enum redis_greeter_result {
    GREETER_WAITS,    /* not all replies are there */
    GREETER_DONE,     /* this Redis can be used */
    GREETER_BROKEN,   /* the connection is */
    GREETER_LATER,    /* it is loading, a replica, ...: a matter of time */
    GREETER_UNUSABLE, /* a human has to do something; see why */
};

struct redis_greeter {
    const struct redis_url *url;
    const char *client_name;
    const struct redis_greeting *greeting;
    bool due[STEPS];  /* replies that have not come yet */
    int64_t tcp_port; /* where it listens, too; 0: nowhere, or not known */
    struct redis_call call;
    char why[320]; /* the result, in words, but for WAITS and DONE */
};

/* Puts all commands into the output buffer. */
void redis_greeter_say(struct redis_greeter *greeter,
                       struct redisContext *context);

/* Takes the replies that have come. */
enum redis_greeter_result redis_greeter_hear(struct redis_greeter *greeter,
                                             struct redisContext *context);

#endif
