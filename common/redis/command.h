/*
 * A call that is being built, private to this room: the keys and arguments of
 * one script run, formatted for the wire (RESP2 bulk strings) in one buffer.
 * The buffer grows, and the next call uses it again. redis.h has the functions
 * that add keys and arguments.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "redis.h"

struct redisContext;

struct command {
    char *bytes; /* the formatted words */
    size_t used; /* bytes of them */
    size_t size; /* of the buffer */
    size_t words;
    size_t keys; /* how many of the words are keys */
    const struct redis_script *script;
    int64_t replicas; /* see redis_call_replicas; 0: no WAIT */
    bool failed;      /* no memory, or a key was too long */
};

/* Empties the buffer for a call of script. */
void command_start(struct command *command, const struct redis_script *script);

/*
 * Adds the run to the output buffer of context: the script by its text or by
 * its SHA-1, keys, arguments, and a WAIT of wait_ms if replicas are asked for.
 * 0, or -1 if there is no memory or the call has failed.
 */
int command_append(const struct command *command, bool by_text, int64_t wait_ms,
                   struct redisContext *context);

void command_fini(struct command *command);

#endif
