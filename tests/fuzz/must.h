/*
 * For fuzzers: what has to hold for any input.
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

/* Not assert: it has to hold with NDEBUG too. */
#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);    \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
