/*
 * Spreads numbers evenly: similar ids give unrelated values. It is no secret
 * and no defence against somebody who chooses ids.
 */
#ifndef MIX_H
#define MIX_H

#include <stdint.h>

/* The last steps of splitmix64, https://prng.di.unimi.it/splitmix64.c */
static inline uint64_t
mix64(uint64_t value)
{
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

#endif
