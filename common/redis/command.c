/*
 * command: a batch has hundreds of keys and arguments. Each is formatted for
 * the wire as soon as it is added, so that none is copied twice.
 */
#include "command.h"

#include <hiredis/hiredis.h>
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

static char *
put(char *to, const char *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

/* Writes what is in front of words ('*') or of bytes ('$'): their number. */
static char *
put_number(char *to, char kind, size_t number)
{
    *to++ = kind;
    to += decimal_format(to, (int64_t)number);
    return put(to, "\r\n", 2);
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
    to = put_number(to, '$', len);
    to = put(to, first, first_len);
    to = put(to, second, second_len);
    to = put(to, "\r\n", 2);
    command->used = (size_t)(to - command->bytes);
    command->words++;
}

void
redis_key_text(struct command *command, const char *key, size_t len)
{
    if (len >= REDIS_KEY_MAX_BYTES) {
        command->failed = true;
        return;
    }
    add(command, key, len, "", 0);
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
    char head[96], keys[64], digits[DECIMAL_TEXT_SIZE];
    size_t digits_len = decimal_format(digits, (int64_t)command->keys);
    char *head_end = put_number(head, '*', WORDS_BEFORE + command->words);
    char *keys_end = put(keys, "\r\n", 2);

    head_end = put_number(head_end, '$', strlen(name));
    head_end = put(head_end, name, strlen(name));
    head_end = put(head_end, "\r\n", 2);
    head_end = put_number(head_end, '$', script_len);
    keys_end = put_number(keys_end, '$', digits_len);
    keys_end = put(keys_end, digits, digits_len);
    keys_end = put(keys_end, "\r\n", 2);
    return redisAppendFormattedCommand(context, head,
                                       (size_t)(head_end - head)) ||
                   redisAppendFormattedCommand(context, script, script_len) ||
                   redisAppendFormattedCommand(context, keys,
                                               (size_t)(keys_end - keys))
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
