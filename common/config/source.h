/*
 * Where the value of a key came from, for error messages. Only for the files of
 * config; programs use options.h.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "options.h"
#include "table.h"

enum { PLACE_SIZE = 4096 + OPTION_NAME_SIZE }; /* the longest path fits */

/* The source of a key; NULL: no such key, or a property that is not set. */
struct option_source *source_of(const struct options *options,
                                const char *name);

/*
 * Writes a key after the line or variable that set it, if one of them did:
 * "verve.conf:3: redis.url".
 */
void source_write(char place[PLACE_SIZE], const struct options *options,
                  const char *name);

#endif
