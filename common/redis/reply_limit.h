/*
 * reply_limit: bounds the arrays of a reply. hiredis makes room for all
 * elements as soon as their number has come, and goes through all of them when
 * it frees the reply: a server that is no Redis, or a hostile one, would stop a
 * program with one line.
 */
#ifndef REPLY_LIMIT_H
#define REPLY_LIMIT_H

/* The most elements of an array; a cluster has at most 16,384 ranges of slots.
 */
enum { REPLY_LIMIT_ELEMENTS = 1 << 18 };

struct redisReader;

/* From now on a reply with a larger array is an error: "Out of memory". */
void reply_limit_set(struct redisReader *reader);

#endif
