/*
 * What a counter is made of, and what the replies of its scripts change there.
 * Private to counter.c, which decides what is sent next.
 */
#ifndef COUNTER_REPLY_H
#define COUNTER_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "confirmation.h"
#include "counter.h"
#include "schema.h"
#include "window_guess.h"

/* What a counter was asked for last. */
enum task {
    TASK_COUNT,
    TASK_PROBE,
    TASK_SIGN_OFF,
};

struct counter {
    const struct options *options;
    struct redis *redis;
    struct shard_news *news;    /* NULL: there is only one shard */
    counter_observer *observer; /* NULL: none */
    void *observer_context;
    struct window_guess guess;   /* the window that is on */
    bool refused;                /* Redis refused the last run */
    char born[SCHEMA_BORN_SIZE]; /* from the schema; "": compare it first */
    int64_t born_us;             /* the same as a number */
    int64_t pulsed_ms;           /* monotonic: the last try; 0: none */
    struct confirmation confirmation;

    /* What is under way: */
    enum task task;
    struct counter_request *requests; /* the batch */
    size_t count;
    enum counter_script script;   /* that was sent last */
    bool waiting;                 /* for a connection: no script was sent */
    bool agreed;                  /* the schema was compared for the probe */
    struct probe probe;           /* what it found */
    int64_t started_us;           /* monotonic */
    int64_t sent_us;              /* monotonic: before the script was sent */
    int64_t ended_us;             /* monotonic: when its result was there */
    struct counter_window result; /* zeroed unless it was counted */
};

/* Takes the reply of the last run; true if more is to be done. */
bool counter_reply_apply(struct counter *counter,
                         const struct redis_reply *reply);

#endif
