/*
 * One look at everything in Redis that the status page shows, as JSON
 * (jansson). Whatever strangers may have written (URLs, errors, what programs
 * say of themselves) comes as short printable ASCII, and of a URL only scheme,
 * host and port.
 */
#ifndef STATUS_H
#define STATUS_H

#include "config/options.h"
#include "redis/redis.h"

struct json_t;

enum {
    STATUS_WINDOWS = 60,   /* the last that are recorded */
    STATUS_DEAD = 10,      /* jobs of the dead list */
    STATUS_PRESENT = 100,  /* entries of `presence` that are read */
    STATUS_TEXT_MAX = 120, /* bytes of a text */
};

/*
 * Looks at a shard, of which options is the view. The result is the caller's;
 * docs/status.md has its members `at` to `dead`, without `windows`, and
 * `present` has {"name", "age_ms", "said"} for each program. NULL: Redis is
 * away or refuses (redis_error), or no memory. Blocks as redis_run does.
 */
struct json_t *status_look(const struct options *options, struct redis *redis);

/*
 * `windows` of docs/status.md, from the connection for the key `windows`: the
 * caller's. Empty if Redis is away or refuses. Blocks likewise.
 */
struct json_t *status_windows(const struct options *options,
                              struct redis *redis);

/* A JSON string of at most STATUS_TEXT_MAX bytes, printable ASCII. text may be
   NULL: "". */
struct json_t *status_text(const char *text);

#endif
