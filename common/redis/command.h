/*
 * A call under construction: the keys and arguments of one script run, in the
 * form in which they are sent (RESP2 bulk strings), in one growing piece of
 * memory that is used again for the next call. Private to redis*.c.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "redis.h"

struct redisContext;

struct command {
    char *bytes; /* the words, formatted, one behind the other */
    size_t used;
    size_t size;
    size_t words;
    size_t keys; /* how many of the words are keys */
    const struct redis_script *script;
    int64_t replicas; /* that must have what it writes */
    bool failed;      /* no memory, or too long a key: it can't be made */
};

void command_start(struct command *call, const struct redis_script *script);

/*
 * Adds the run to what context sends: the script by its text or by its SHA-1,
 * all keys and arguments, and a WAIT of wait_ms if replicas are wanted. 0, or
 * -1: no memory, or the call had failed.
 */
int command_append(const struct command *call, bool by_text, int64_t wait_ms,
                   struct redisContext *context);

void command_fini(struct command *call);

#endif
