/*
 * keys: the table, and how a pattern becomes a key. Patterns are not printf
 * formats, so that the table reads as an operator sees the keys.
 */
#include "keys.h"

#include <string.h>

#include "base/decimal.h"

/* What every pattern begins with, in place of redis.prefix. */
#define PREFIX "verve"

static const struct key_row rows[KEYS_COUNT] = {
    [KEY_META] = {PREFIX ":{t}:meta", "hash", "none"},
    [KEY_BORN] = {PREFIX ":{t}:born", "string", "none"},
    [KEY_SEALED] = {PREFIX ":{t}:sealed", "string", "none"},
    [KEY_OPEN] = {PREFIX ":{t}:open", "zset", "none"},
    [KEY_MARKS] = {PREFIX ":{t}:marks", "hash", "none"},
    [KEY_UNCONFIRMED] = {PREFIX ":{t}:unconfirmed", "hash", "none"},
    [KEY_LOST] = {PREFIX ":{t}:lost", "zset", "none"},
    [KEY_RECORDED] = {PREFIX ":{t}:recorded", "string", "none"},
    [KEY_RUN] = {PREFIX ":{t}:run", "hash", "none"},
    [KEY_COUNT] = {PREFIX ":{t}:count:<window>", "string",
                   "window.retention_hours, at least 3 windows"},
    [KEY_WHOLE] = {PREFIX ":{t}:whole:<strategy>:<window>", "string",
                   "to the end of the next window"},
    [KEY_CANARY] = {PREFIX ":{t}:whole:<strategy>:<window>:<n>", "string",
                    "to the end of the next window"},
    [KEY_SEEN_ID] = {PREFIX ":{t}:seen:<window>:<id>", "string", "2 windows"},
    [KEY_SEEN_SET] = {PREFIX ":{t}:seen:<window>:s<set>", "set", "2 windows"},
    [KEY_SETS] = {PREFIX ":{t}:sets:<window>", "hash", "2 windows"},
    [KEY_SEEN_HLL] = {PREFIX ":{t}:seen:<window>", "string", "2 windows"},
    [KEY_CALLBACKS] = {PREFIX ":{t}:callbacks", "list", "none"},
    [KEY_CALLBACKS_OF] = {PREFIX ":{t}:callbacks:<hash>", "list", "none"},
    [KEY_DESTINATIONS] = {PREFIX ":{t}:destinations", "zset", "none"},
    [KEY_STRANGERS] = {PREFIX ":{t}:strangers", "zset", "none"},
    [KEY_PROVEN] = {PREFIX ":{t}:proven", "zset", "none"},
    [KEY_QUEUE] = {PREFIX ":{t}:queue", "hash", "none"},
    [KEY_DUE] = {PREFIX ":{t}:due", "zset", "none"},
    [KEY_DEAD] = {PREFIX ":{t}:dead", "list", "none"},
    [KEY_BLOCKED] = {PREFIX ":{t}:blocked", "hash", "none"},
    [KEY_READY] = {PREFIX ":{t}:ready", "string", "1 s"},
    [KEY_REPORTERS] = {PREFIX ":{t}:reporters", "zset", "none"},
    [KEY_REPORTER] = {PREFIX ":{t}:reporter:<name>", "string", "10 s"},
    [KEY_PRESENCE] = {PREFIX ":{t}:presence", "zset", "none"},
    [KEY_PRESENCE_SAID] = {PREFIX ":{t}:presence-said", "hash", "none"},
    [KEY_WINDOWS] = {PREFIX ":windows", "stream", "none"},
    [KEY_SINK] = {PREFIX ":sink:<name>", "hash", "none"},
    [KEY_SINKS] = {PREFIX ":sinks", "zset", "none"},
};

/* A key under construction; what does not fit is cut off. */
struct text {
    char *bytes;
    size_t size;
    size_t len;
};

const struct key_row *
keys_row(enum key key)
{
    return &rows[key];
}

static void
put(struct text *to, const char *bytes, size_t len)
{
    size_t room = to->size - to->len;
    size_t n = len < room ? len : room;

    memcpy(to->bytes + to->len, bytes, n);
    to->len += n;
}

static bool
is(const char *placeholder, const char *name)
{
    return strncmp(placeholder, name, strlen(name)) == 0;
}

/* Writes the part that a placeholder stands for; <id> and <set> are empty. */
static void
put_part(struct text *to, const char *placeholder,
         const struct key_parts *parts)
{
    char digits[DECIMAL_TEXT_SIZE];

    if (is(placeholder, "{t}")) {
        put(to, "{", 1);
        put(to, digits, decimal_format(digits, parts->tag));
        put(to, "}", 1);
    } else if (is(placeholder, "<window>")) {
        if (parts->window_s >= 0) {
            put(to, digits, decimal_format(digits, parts->window_s));
        }
    } else if (is(placeholder, "<strategy>")) {
        put(to, parts->strategy, strlen(parts->strategy));
    } else if (is(placeholder, "<hash>")) {
        put(to, parts->hash, strlen(parts->hash));
    } else if (is(placeholder, "<name>")) {
        put(to, parts->name, strlen(parts->name));
    }
}

static void
put_key(struct text *to, enum key key, const struct key_parts *parts)
{
    const char *at = rows[key].pattern + strlen(PREFIX);

    put(to, parts->prefix, strlen(parts->prefix));
    while (*at != '\0') {
        size_t plain = strcspn(at, "{<");

        put(to, at, plain);
        at += plain;
        if (*at != '\0') {
            put_part(to, at, parts);
            at += strcspn(at, "}>") + 1;
        }
    }
}

void
keys_add(struct command *call, enum key key, const struct key_parts *parts)
{
    /* A key that is cut off at this size is one that redis_key_text refuses. */
    char bytes[REDIS_KEY_MAX_BYTES];
    struct text text = {.bytes = bytes, .size = sizeof(bytes)};

    put_key(&text, key, parts);
    redis_key_text(call, bytes, text.len);
}

void
keys_text(enum key key, const struct key_parts *parts, char *bytes, size_t size)
{
    struct text text = {.bytes = bytes, .size = size - 1};

    put_key(&text, key, parts);
    bytes[text.len] = '\0';
}

struct key_stem
keys_stem(enum key key, const struct key_parts *parts)
{
    struct key_stem stem = {.len = 0};
    struct text text = {.bytes = stem.text, .size = sizeof(stem.text)};

    put_key(&text, key, parts);
    stem.len = text.len;
    return stem;
}

void
keys_add_numbered(struct command *call, const struct key_stem *stem,
                  int64_t number)
{
    redis_key_int(call, stem->text, stem->len, number);
}
