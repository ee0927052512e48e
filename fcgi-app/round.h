/*
 * A round: all requests that are there at the same time. Those for ids go into
 * the lanes of their shards (lanes.h), which also say how long a round lasts.
 */
#ifndef ROUND_H
#define ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "fcgi_conn.h"
#include "pool_stats.h"
#include "store/store.h"

struct round;

/* The arguments are borrowed for its life. NULL: no memory. */
struct round *round_open(const struct options *options, struct store *store,
                         struct pool_stats *stats);
void round_close(struct round *round);

/* The most requests of one round, and of those that are held at a time. */
size_t round_most(const struct round *round);
size_t round_most_held(const struct round *round);

/*
 * Starts a round. Takes all exchanges of the list, at most round_most; each
 * comes back through round_answered. The list may be empty: then only what is
 * due without a request is started (counter_idle_ms).
 */
void round_start(struct round *round, struct fcgi_exchange_list *exchanges);

/*
 * While the round is under way, round_step blocks until a reply of Redis is
 * there, or the round has lasted for long enough, and goes on with it.
 */
bool round_is_under_way(const struct round *round);
void round_step(struct round *round);

/* Takes one that was answered; NULL: there is none. */
struct fcgi_exchange *round_answered(struct round *round);

/*
 * Milliseconds until a round has to be started although no request has come and
 * no connection to Redis (store_fd) is readable; -1: never.
 */
int64_t round_wait_ms(const struct round *round);

/* True if all requests are answered. */
bool round_is_idle(const struct round *round);

/*
 * The last call: answers with 503 what has no answer yet, and signs off, which
 * blocks for at most 3 x redis.timeout_ms.
 */
void round_end(struct round *round);

#endif
