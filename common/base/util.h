/*
 * Small helpers that belong to no other module: minimum and maximum, the prefix
 * of a text, a hash for hash tables, the host's name, random numbers, the
 * scheduling policy.
 */
#ifndef UTIL_H
#define UTIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Size of a buffer for the host's name: gethostname(2) on Linux. */
enum { HOST_NAME_SIZE = HOST_NAME_MAX + 1 };

static inline int64_t
int64_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t
int64_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The shorter of two waits in milliseconds; negative: no limit. */
static inline int64_t
wait_shorter_ms(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : int64_min(a, b);
}

/* The number from least to most that is nearest to value. */
static inline int64_t
int64_clamp(int64_t value, int64_t least, int64_t most)
{
    return int64_min(int64_max(value, least), most);
}

static inline size_t
size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline bool
starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static inline bool
ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

/*
 * A hash of text for a table in memory: FNV-1a (Fowler, Noll, Vo), 64 bits, the
 * upper half folded into the lower half, so that `% table size` uses all bits.
 * A random seed hides from clients which texts collide; 0 if that is no danger.
 */
static inline uint64_t
fnv1a(uint64_t seed, const char *text)
{
    uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

/* A random number from the kernel: getrandom(2), since arc4random(3) needs
   glibc 2.36. */
uint64_t random_number(void);

/* A random number from 0 to bound - 1. The bias is under bound / 2^64. */
uint64_t random_below(uint64_t bound);

/* Writes at most 256 random bytes as 2 hexadecimal digits each, without NUL. */
void random_hex(char *to, size_t bytes);

/* Writes this host's name, or "unknown" if the kernel does not tell it. */
void host_name(char name[HOST_NAME_SIZE]);

/*
 * Opens /dev/null in place of each of stdin, stdout and stderr that is closed.
 * Otherwise the next file or connection would get that descriptor, and the log
 * would be written into it.
 */
void fill_standard_fds(void);

/*
 * Sets the scheduling policy SCHED_BATCH (sched(7)): if this process wakes up,
 * it waits for its turn on the processor and does not preempt other processes.
 * If the kernel refuses, nothing changes.
 */
void use_batch_scheduling(void);

#endif
