/*
 * All destinations that are known here: a hash table by origin, and a list for
 * each state. A destination is in the list of its state, so that no function
 * has to search; fair_queue.c says what the state is. Those that have nothing
 * to do are forgotten if there are too many.
 *
 * Pure: the caller passes the time, monotonic.
 */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "destination.h"

enum {
    DESTINATIONS_IDLE_MAX = 16384, /* if more are idle, the one that is idle
                                      for longest is forgotten */
};

enum destination_state {
    DESTINATION_READY,   /* a job may start: the round robin, in list order */
    DESTINATION_STRANGE, /* the same for strangers, if they have a slot */
    DESTINATION_FULL,    /* jobs wait; attempts under way are at the limit */
    DESTINATION_EXPIRED, /* jobs wait that are to be returned */
    DESTINATION_QUIET,   /* attempts are under way, no job waits */
    DESTINATION_IDLE, /* nothing; the one that is idle for longest is first */
};

enum { DESTINATION_STATES = DESTINATION_IDLE + 1 };

TAILQ_HEAD(destination_list, destination);

struct destinations;

/*
 * max_limit is callbacks.per_host_concurrency. seed is a random number, so that
 * clients cannot choose hosts that collide in the hash table. NULL: no memory.
 */
struct destinations *destinations_open(size_t max_limit, uint64_t seed);

/* Frees the waiting jobs, too. */
void destinations_close(struct destinations *all);

/* NULL: it is not known. Borrowed, until it is idle and another one is made or
   moved. */
struct destination *destinations_find(const struct destinations *all,
                                      const char *origin);

/* The same, and makes an idle one if it is not known. NULL: no memory. */
struct destination *destinations_get(struct destinations *all,
                                     const char *origin, int64_t now_ms);

/* The first in the list of a state; the next by TAILQ_NEXT(i, link). NULL:
   none. */
struct destination *destinations_first(const struct destinations *all,
                                       enum destination_state state);

/* Moves it to the end of the list of a state. May forget an idle one. */
void destinations_move(struct destinations *all,
                       struct destination *destination,
                       enum destination_state state, int64_t now_ms);

/* Notes whether it has more jobs in Redis. */
void destinations_set_more(struct destinations *all,
                           struct destination *destination, bool more);

/* The first of those; the next by TAILQ_NEXT(i, hungry). NULL: none. */
struct destination *destinations_first_hungry(const struct destinations *all);

/* Notes whether Redis has to learn of it. */
void destinations_set_news(struct destinations *all,
                           struct destination *destination, bool news);

/* The first of those. NULL: none. */
struct destination *destinations_first_news(const struct destinations *all);

#endif
