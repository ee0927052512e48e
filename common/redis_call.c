/*
 * redis_call: gathers the keys and arguments of one script call.
 */
#include "redis_call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* EVALSHA, the script and the number of keys come before the words. */
enum { WORDS_BEFORE = 3 };

void
redis_call_start(struct redis_call *call, const struct redis_script *script)
{
    call->script = script;
    call->used = 0;
    call->count = 0;
    call->keys = 0;
    call->failed = false;
}

/* Makes room for one word of len bytes; false where there is none. */
static bool
reserve(struct redis_call *call, size_t len)
{
    if (call->used + len > call->size) {
        size_t size = (call->used + len) * 2;
        char *bytes = realloc(call->bytes, size);

        if (bytes == NULL) {
            return false;
        }
        call->bytes = bytes;
        call->size = size;
    }
    if (call->count == call->room) {
        size_t room = call->room == 0 ? 64 : call->room * 2;
        size_t *ends = realloc(call->ends, room * sizeof(*ends));

        if (ends == NULL) {
            return false;
        }
        call->ends = ends;
        call->room = room;
    }
    return true;
}

static void
add(struct redis_call *call, const char *bytes, size_t len)
{
    if (!reserve(call, len)) {
        call->failed = true;
        return;
    }
    memcpy(call->bytes + call->used, bytes, len);
    call->used += len;
    call->ends[call->count++] = call->used;
}

void
redis_key(struct redis_call *call, const char *format, ...)
{
    char key[REDIS_KEY_MAX_BYTES];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(key)) {
        call->failed = true;
        return;
    }
    add(call, key, (size_t)len);
    call->keys++;
}

void
redis_arg(struct redis_call *call, const char *bytes, size_t len)
{
    add(call, bytes, len);
}

void
redis_arg_int(struct redis_call *call, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);

    add(call, text, (size_t)len);
}

/* Points argv and lens at the words, behind the three that come before. */
static void
point(struct redis_call *call)
{
    size_t start = 0;
    size_t i;

    for (i = 0; i < call->count; i++) {
        call->argv[WORDS_BEFORE + i] = call->bytes + start;
        call->lens[WORDS_BEFORE + i] = call->ends[i] - start;
        start = call->ends[i];
    }
}

int
redis_call_finish(struct redis_call *call, const char *command,
                  const char *word)
{
    size_t words = WORDS_BEFORE + call->count;
    const char **argv = realloc(call->argv, words * sizeof(*argv));
    size_t *lens = realloc(call->lens, words * sizeof(*lens));
    size_t i;

    call->argv = argv != NULL ? argv : call->argv;
    call->lens = lens != NULL ? lens : call->lens;
    if (argv == NULL || lens == NULL || call->failed) {
        return 0;
    }
    snprintf(call->keys_text, sizeof(call->keys_text), "%zu", call->keys);
    argv[0] = command;
    argv[1] = word;
    argv[2] = call->keys_text;
    for (i = 0; i < WORDS_BEFORE; i++) {
        lens[i] = strlen(argv[i]);
    }
    point(call);
    return (int)words;
}

void
redis_call_fini(struct redis_call *call)
{
    free(call->bytes);
    free(call->ends);
    free(call->argv);
    free(call->lens);
    memset(call, 0, sizeof(*call));
}
