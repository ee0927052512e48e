/*
 * Presence: what programs say of themselves in Redis, so that an operator sees
 * from anywhere which web hosts and reporters there are, of which version and
 * with which configuration. A program that ends in order is forgotten; one that
 * vanishes is listed for a day, with the time at which it was last seen.
 */
#ifndef PRESENCE_H
#define PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"

struct json_t;
struct presence;

/* Responders are many; a reporter that is gone has to be noticed soon. */
enum {
    PRESENCE_WEB_MS = 5000,      /* between two writes of a responder */
    PRESENCE_REPORTER_MS = 2000, /* ... of a worker of a reporter */
    /* After this silence they count as gone: */
    PRESENCE_WEB_GONE_MS = 15000,
    PRESENCE_REPORTER_GONE_MS = 6000,
    PRESENCE_FORGET_MS = 86400000,
    PRESENCE_MOST = 1000, /* names that are kept; the newest */
};

/* The programs, and the end of the names of workers that close windows. */
#define PRESENCE_WEB "verve-fcgi"
#define PRESENCE_REPORTER "verve-reporter"
#define PRESENCE_REPORTS "/reports"

/* What the last reply of Redis said of the reporters. */
struct presence_heard {
    int64_t at_ms;     /* monotonic: when; 0: Redis has not replied yet */
    int64_t reporters; /* that live: their worker `reports` was seen in the last
                          PRESENCE_REPORTER_GONE_MS */
    int64_t
        silent_ms; /* since such a worker was last seen; -1: none is known */
};

/*
 * program: PRESENCE_WEB or PRESENCE_REPORTER, static; part: which part of it on
 * this host: the path of a pool's stats file, or the name of a worker. The name
 * in Redis is <program>/<host>/<part>. redis is borrowed; all else is copied.
 * NULL: no memory.
 */
struct presence *presence_open(const struct options *options,
                               struct redis *redis, const char *program,
                               const char *part);
void presence_close(struct presence *presence);

/*
 * Milliseconds until presence_write is due: at once after a connect, then every
 * PRESENCE_WEB_MS or PRESENCE_REPORTER_MS; -1 while Redis is not connected.
 */
int64_t presence_wait_ms(const struct presence *presence);

/*
 * Writes, whether it is due or not: version, digest of the configuration, host
 * and its clock, and details, a JSON object
 * (jansson) whose reference it takes; NULL: no memory for it, nothing is
 * written. If Redis fails, the next write is due in its time all the same.
 * Blocks for at most redis.timeout_ms if Redis is connected.
 */
void presence_write(struct presence *presence, struct json_t *details);

/*
 * The same without blocking. True while it is under way: call redis_await, then
 * presence_step.
 */
bool presence_start(struct presence *presence, struct json_t *details);
bool presence_step(struct presence *presence);

/* For a program that ends: it is forgotten. Blocks likewise. */
void presence_leave(struct presence *presence);

struct presence_heard presence_heard(const struct presence *presence);

#endif
