/*
 * The hash slot of a key in a Redis Cluster. All keys of a slot are on one
 * node, and a script may use the keys of one slot alone.
 *
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 * ("Key distribution model")
 */
#ifndef KEY_SLOT_H
#define KEY_SLOT_H

#include <stddef.h>

enum { KEY_SLOTS = 16384 };

/*
 * The slot of a key, 0 to KEY_SLOTS - 1: of the text between its first "{" and
 * the next "}", if there is such a text and it is not empty; else of the whole
 * key.
 */
int key_slot(const char *key, size_t len);

#endif
