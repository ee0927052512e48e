/*
 * The request targets to send: lines of a file, or targets generated from a
 * seed. Request i is the same in every run with that seed, and needs no memory.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stddef.h>
#include <stdint.h>

enum plan_kind {
    PLAN_UNIQUE,   /* random 63-bit ids, each different */
    PLAN_UNIQUE31, /* random 31-bit ids, each different */
    PLAN_ZIPF, /* one in ten is new; else ids 1 to 1000, k weighs about 1/k */
};

enum { PLAN_TARGET_SIZE = 12288 }; /* of a buffer for the longest target */

struct plan_options {
    const char *file; /* one target a line; NULL: generated */
    enum plan_kind kind;
    uint64_t seed;
    int64_t endpoint_percent; /* of the generated targets, with endpoint */
    const char *endpoint;     /* URL, not encoded */
};

struct plan;

/* options and its strings are borrowed. NULL after a message on stderr. */
struct plan *plan_open(const struct plan_options *options);
void plan_close(struct plan *plan);

/* The number of targets; 0: unlimited. */
uint64_t plan_count(const struct plan *plan);

/* Writes target i. After the last line of a file, the first follows. */
void plan_target(const struct plan *plan, uint64_t i,
                 char target[PLAN_TARGET_SIZE]);

#endif
