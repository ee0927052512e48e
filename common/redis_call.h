/*
 * A call under construction: the words of one EVALSHA, kept in one growing
 * piece of memory that is used again for the next call.
 */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include <stdbool.h>

#include "redis.h"

struct redis_call {
    char *bytes; /* the words, one behind the other */
    size_t used;
    size_t size;
    size_t *ends; /* where each word ends in bytes */
    size_t count; /* words */
    size_t room;  /* words that ends has room for */
    size_t keys;  /* how many of the words are keys */
    char keys_text[24];
    const char **argv; /* as hiredis wants them; made by redis_call_finish */
    size_t *lens;
    const struct redis_script *script;
    bool failed; /* no memory: it can't be made */
};

void redis_call_start(struct redis_call *call,
                      const struct redis_script *script);

/*
 * Fills argv and lens with command, word, the number of keys and all keys and
 * arguments. Returns how many they are, or 0 where there was no memory.
 */
int redis_call_finish(struct redis_call *call, const char *command,
                      const char *word);

void redis_call_fini(struct redis_call *call);

#endif
