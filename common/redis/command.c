/*
 * command: a batch has hundreds of keys and arguments. Each is written at once
 * in the form in which it is sent, so that none is copied or measured again.
 */
#include "command.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum {
    WORDS_BEFORE = 3,     /* command, script and number of keys */
    FRAME_MAX_BYTES = 32, /* what a word has around it, at most */
};

void
command_start(struct command *call, const struct redis_script *script)
{
    call->script = script;
    call->used = 0;
    call->words = 0;
    call->keys = 0;
    call->replicas = 0;
    call->failed = false;
}

/* Makes room for a word of len bytes; false if there is no memory. */
static bool
reserve(struct command *call, size_t len)
{
    size_t needed = call->used + FRAME_MAX_BYTES + len;
    char *bytes;

    if (needed <= call->size) {
        return true;
    }
    bytes = realloc(call->bytes, 2 * needed);
    if (bytes == NULL) {
        return false;
    }
    call->bytes = bytes;
    call->size = 2 * needed;
    return true;
}

/* Adds one word, which is two pieces: "$<length>\r\n<pieces>\r\n". */
static void
add(struct command *call, const char *first, size_t first_len,
    const char *second, size_t second_len)
{
    size_t len = first_len + second_len;
    char *to;

    if (!reserve(call, len)) {
        call->failed = true;
        return;
    }
    to = call->bytes + call->used;
    *to++ = '$';
    to += decimal_format(to, (int64_t)len);
    *to++ = '\r';
    *to++ = '\n';
    memcpy(to, first, first_len);
    to += first_len;
    memcpy(to, second, second_len);
    to += second_len;
    *to++ = '\r';
    *to++ = '\n';
    call->used = (size_t)(to - call->bytes);
    call->words++;
}

void
redis_key(struct command *call, const char *format, ...)
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
    add(call, key, (size_t)len, "", 0);
    call->keys++;
}

void
redis_key_int(struct command *call, const char *stem, size_t stem_len,
              int64_t value)
{
    char text[DECIMAL_TEXT_SIZE] = "";
    size_t len = decimal_format(text, value);

    add(call, stem, stem_len, text, len);
    call->keys++;
}

void
redis_arg(struct command *call, const char *bytes, size_t len)
{
    add(call, bytes, len, "", 0);
}

void
redis_arg_int(struct command *call, int64_t value)
{
    char text[DECIMAL_TEXT_SIZE] = "";
    size_t len = decimal_format(text, value);

    add(call, text, len, "", 0);
}

void
redis_call_replicas(struct command *call, int64_t replicas)
{
    call->replicas = replicas;
}

/* Adds the words in front of the keys: command, script, number of keys. */
static int
append_head(const struct command *call, bool by_text,
            struct redisContext *context)
{
    const char *command = by_text ? "EVAL" : "EVALSHA";
    const char *script = by_text ? call->script->body : call->script->sha1;
    size_t script_len = strlen(script);
    char head[96], keys[48], digits[DECIMAL_TEXT_SIZE] = "";
    int head_len, keys_len;

    decimal_format(digits, (int64_t)call->keys);
    head_len = snprintf(head, sizeof(head), "*%zu\r\n$%zu\r\n%s\r\n$%zu\r\n",
                        WORDS_BEFORE + call->words, strlen(command), command,
                        script_len);
    keys_len = snprintf(keys, sizeof(keys), "\r\n$%zu\r\n%s\r\n",
                        strlen(digits), digits);
    return redisAppendFormattedCommand(context, head, (size_t)head_len) ||
                   redisAppendFormattedCommand(context, script, script_len) ||
                   redisAppendFormattedCommand(context, keys, (size_t)keys_len)
               ? -1
               : 0;
}

static int
append_wait(int64_t replicas, int64_t wait_ms, struct redisContext *context)
{
    char count[DECIMAL_TEXT_SIZE] = "", limit_ms[DECIMAL_TEXT_SIZE] = "";
    const char *argv[] = {"WAIT", count, limit_ms};

    decimal_format(count, replicas);
    decimal_format(limit_ms, wait_ms);
    return redisAppendCommandArgv(context, 3, argv, NULL) == REDIS_OK ? 0 : -1;
}

int
command_append(const struct command *call, bool by_text, int64_t wait_ms,
               struct redisContext *context)
{
    if (call->failed || append_head(call, by_text, context) != 0 ||
        redisAppendFormattedCommand(context, call->bytes, call->used)) {
        return -1;
    }
    return call->replicas > 0 ? append_wait(call->replicas, wait_ms, context)
                              : 0;
}

void
command_fini(struct command *call)
{
    free(call->bytes);
    memset(call, 0, sizeof(*call));
}
