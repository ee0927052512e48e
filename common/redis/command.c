/*
 * command: a batch has hundreds of keys and arguments. Each is formatted for
 * the wire as soon as it is added, so that none is copied twice.
 */
#include "command.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum {
    WORDS_BEFORE = 3,     /* EVAL or EVALSHA, script, number of keys */
    FRAME_MAX_BYTES = 32, /* "$<length>\r\n" and "\r\n" */
};

void
command_start(struct command *command, const struct redis_script *script)
{
    command->script = script;
    command->used = 0;
    command->words = 0;
    command->keys = 0;
    command->replicas = 0;
    command->failed = false;
}

/* Makes room for one more word of len bytes; false if there is no memory. */
static bool
reserve(struct command *command, size_t len)
{
    size_t needed = command->used + FRAME_MAX_BYTES + len;
    char *bytes;

    if (needed <= command->size) {
        return true;
    }
    bytes = realloc(command->bytes, 2 * needed);
    if (bytes == NULL) {
        return false;
    }
    command->bytes = bytes;
    command->size = 2 * needed;
    return true;
}

/* Adds one word, given in two pieces: "$<length>\r\n<pieces>\r\n". */
static void
add(struct command *command, const char *first, size_t first_len,
    const char *second, size_t second_len)
{
    size_t len = first_len + second_len;
    char *to;

    if (!reserve(command, len)) {
        command->failed = true;
        return;
    }
    to = command->bytes + command->used;
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
    command->used = (size_t)(to - command->bytes);
    command->words++;
}

void
redis_key(struct command *command, const char *format, ...)
{
    char key[REDIS_KEY_MAX_BYTES];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(key)) {
        command->failed = true;
        return;
    }
    add(command, key, (size_t)len, "", 0);
    command->keys++;
}

void
redis_key_int(struct command *command, const char *stem, size_t stem_len,
              int64_t value)
{
    char text[DECIMAL_TEXT_SIZE] = "";
    size_t len = decimal_format(text, value);

    add(command, stem, stem_len, text, len);
    command->keys++;
}

void
redis_arg(struct command *command, const char *bytes, size_t len)
{
    add(command, bytes, len, "", 0);
}

void
redis_arg_int(struct command *command, int64_t value)
{
    char text[DECIMAL_TEXT_SIZE] = "";
    size_t len = decimal_format(text, value);

    add(command, text, len, "", 0);
}

void
redis_call_replicas(struct command *command, int64_t replicas)
{
    command->replicas = replicas;
}

/* Appends the words before the keys: command, script, number of keys. */
static int
append_head(const struct command *command, bool by_text,
            struct redisContext *context)
{
    const char *name = by_text ? "EVAL" : "EVALSHA";
    const char *script =
        by_text ? command->script->body : command->script->sha1;
    size_t script_len = strlen(script);
    char head[96], keys[48], digits[DECIMAL_TEXT_SIZE] = "";
    int head_len, keys_len;

    decimal_format(digits, (int64_t)command->keys);
    head_len =
        snprintf(head, sizeof(head), "*%zu\r\n$%zu\r\n%s\r\n$%zu\r\n",
                 WORDS_BEFORE + command->words, strlen(name), name, script_len);
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
command_append(const struct command *command, bool by_text, int64_t wait_ms,
               struct redisContext *context)
{
    if (command->failed || append_head(command, by_text, context) != 0 ||
        redisAppendFormattedCommand(context, command->bytes, command->used)) {
        return -1;
    }
    return command->replicas > 0
               ? append_wait(command->replicas, wait_ms, context)
               : 0;
}

void
command_fini(struct command *command)
{
    free(command->bytes);
    memset(command, 0, sizeof(*command));
}
