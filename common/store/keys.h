/*
 * Every Redis key: its pattern, type and lifetime, in one table. This is the
 * only C module that spells a key; docs/redis-keys.md has the same table, and
 * a test compares both.
 *
 * In a pattern `verve` stands for redis.prefix and {t} for the hash tag of the
 * shard ({0} if there is only one shard). Words in <> are the parts of a key
 * that vary.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"

enum key {
    KEY_META,
    KEY_BORN,
    KEY_SEALED,
    KEY_OPEN,
    KEY_MARKS,
    KEY_UNCONFIRMED,
    KEY_LOST,
    KEY_RECORDED,
    KEY_RUN,
    KEY_COUNT,
    KEY_WHOLE,
    KEY_CANARY,   /* dedup.strategy = setnx */
    KEY_SEEN_ID,  /* dedup.strategy = setnx */
    KEY_SEEN_SET, /* dedup.strategy = set */
    KEY_SETS,     /* dedup.strategy = set */
    KEY_SEEN_HLL, /* dedup.strategy = hll */
    KEY_CALLBACKS,
    KEY_CALLBACKS_OF,
    KEY_DESTINATIONS,
    KEY_STRANGERS,
    KEY_PROVEN,
    KEY_QUEUE,
    KEY_DUE,
    KEY_DEAD,
    KEY_BLOCKED,
    KEY_READY,
    KEY_REPORTERS,
    KEY_REPORTER,
    KEY_PRESENCE,
    KEY_PRESENCE_SAID,
    KEY_WINDOWS,
    KEY_SINK,
    KEY_SINKS,
    KEYS_COUNT,
};

struct key_row {
    const char *pattern;
    const char *type;     /* as Redis's command TYPE says it */
    const char *lifetime; /* "none" if the key never expires */
};

/* The row of a key; static. */
const struct key_row *keys_row(enum key key);

/* The parts of a key that vary; all are borrowed for the call. */
struct key_parts {
    const char *prefix;   /* redis.prefix, at most 64 bytes */
    int64_t tag;          /* {t}: redis.tag, of a shard; 0: shard 0 */
    int64_t window_s;     /* <window>: its start, an epoch second; negative:
                             nothing, for the stem */
    const char *strategy; /* <strategy> */
    const char *name;     /* <name>: of a sink or a reporter */
    const char *hash;     /* <hash>: see origin_hash; "" for the stem */
};

/*
 * Adds a key to a call. Only the parts that the pattern names are read. If the
 * key is longer than Redis calls allow (REDIS_KEY_MAX_BYTES), the call fails.
 */
void keys_add(struct command *call, enum key key,
              const struct key_parts *parts);

/* Writes the key as a text, cut off at size: for store_keyed. */
void keys_text(enum key key, const struct key_parts *parts, char *bytes,
               size_t size);

/* A key up to the number that ends it. */
struct key_stem {
    char text[160];
    size_t len;
};

/* The stem of a key whose pattern ends in <id> or <set>. */
struct key_stem keys_stem(enum key key, const struct key_parts *parts);

/* Adds the key that consists of stem and number. */
void keys_add_numbered(struct command *call, const struct key_stem *stem,
                       int64_t number);

#endif
