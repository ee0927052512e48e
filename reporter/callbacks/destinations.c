/*
 * destinations: a chained hash table, and lists through the destinations
 * themselves.
 */
#include "destinations.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum {
    BUCKETS = 4096,      /* of the hash table: a power of two */
    EVICTION_TRIES = 16, /* to find an idle destination that is not blocked */
};

struct destinations {
    size_t max_limit;
    uint64_t seed;
    size_t idle; /* how many are in DESTINATION_IDLE */
    struct destination_list lists[DESTINATION_STATES];
    struct destination_list hungry; /* those with more jobs in Redis */
    struct destination_list news;   /* those that Redis has to learn of */
    struct destination *buckets[BUCKETS];
};

struct destinations *
destinations_open(size_t max_limit, uint64_t seed)
{
    struct destinations *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return NULL;
    }
    all->max_limit = max_limit;
    all->seed = seed;
    for (int i = 0; i < DESTINATION_STATES; i++) {
        TAILQ_INIT(&all->lists[i]);
    }
    TAILQ_INIT(&all->hungry);
    TAILQ_INIT(&all->news);
    return all;
}

void
destinations_close(struct destinations *all)
{
    struct destination *destination;

    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((destination = all->buckets[i]) != NULL) {
            all->buckets[i] = destination->next;
            destination_close(destination);
        }
    }
    free(all);
}

static size_t
bucket_of(const struct destinations *all, const char *origin)
{
    return fnv1a(all->seed, origin) % BUCKETS;
}

struct destination *
destinations_find(const struct destinations *all, const char *origin)
{
    struct destination *i = all->buckets[bucket_of(all, origin)];

    while (i != NULL && strcmp(i->origin, origin) != 0) {
        i = i->next;
    }
    return i;
}

void
destinations_set_more(struct destinations *all, struct destination *destination,
                      bool more)
{
    if (destination->more && !more) {
        TAILQ_REMOVE(&all->hungry, destination, hungry);
    } else if (!destination->more && more) {
        TAILQ_INSERT_TAIL(&all->hungry, destination, hungry);
    }
    destination->more = more;
}

struct destination *
destinations_first_hungry(const struct destinations *all)
{
    return TAILQ_FIRST(&all->hungry);
}

void
destinations_set_news(struct destinations *all, struct destination *destination,
                      bool news)
{
    if (destination->is_news && !news) {
        TAILQ_REMOVE(&all->news, destination, news);
    } else if (!destination->is_news && news) {
        TAILQ_INSERT_TAIL(&all->news, destination, news);
    }
    destination->is_news = news;
}

struct destination *
destinations_first_news(const struct destinations *all)
{
    return TAILQ_FIRST(&all->news);
}

/* Forgets an idle destination. */
static void
evict(struct destinations *all, struct destination *destination)
{
    struct destination **i = &all->buckets[bucket_of(all, destination->origin)];

    while (*i != destination) {
        i = &(*i)->next;
    }
    *i = destination->next;
    TAILQ_REMOVE(&all->lists[DESTINATION_IDLE], destination, link);
    all->idle--;
    destinations_set_more(all, destination, false);
    destinations_set_news(all, destination, false);
    destination_close(destination);
}

/*
 * Forgets a destination that has been idle for long. Blocked destinations are
 * passed over, because forgetting one would end its block; unless all of them
 * are blocked.
 */
static void
evict_one(struct destinations *all, int64_t now_ms)
{
    struct destination_list *idle = &all->lists[DESTINATION_IDLE];

    for (int i = 0; i < EVICTION_TRIES; i++) {
        struct destination *first = TAILQ_FIRST(idle);

        if (destination_blocked_ms(first, now_ms) <= 0) {
            break;
        }
        TAILQ_REMOVE(idle, first, link);
        TAILQ_INSERT_TAIL(idle, first, link);
    }
    evict(all, TAILQ_FIRST(idle));
}

/* Appends it to the list of state. May evict another destination. */
static void
append(struct destinations *all, struct destination *destination,
       enum destination_state state, int64_t now_ms)
{
    TAILQ_INSERT_TAIL(&all->lists[state], destination, link);
    destination->state = (int)state;
    if (state == DESTINATION_IDLE) {
        all->idle++;
        if (all->idle > DESTINATIONS_IDLE_MAX) {
            evict_one(all, now_ms);
        }
    }
}

void
destinations_move(struct destinations *all, struct destination *destination,
                  enum destination_state state, int64_t now_ms)
{
    if (destination->state == DESTINATION_IDLE) {
        all->idle--;
    }
    TAILQ_REMOVE(&all->lists[destination->state], destination, link);
    append(all, destination, state, now_ms);
}

struct destination *
destinations_get(struct destinations *all, const char *origin, int64_t now_ms)
{
    struct destination *destination = destinations_find(all, origin);
    size_t bucket = bucket_of(all, origin);

    if (destination != NULL) {
        return destination;
    }
    destination = destination_open(origin, all->max_limit);
    if (destination != NULL) {
        destination->next = all->buckets[bucket];
        all->buckets[bucket] = destination;
        append(all, destination, DESTINATION_IDLE, now_ms);
    }
    return destination;
}

struct destination *
destinations_first(const struct destinations *all, enum destination_state state)
{
    return TAILQ_FIRST(&all->lists[state]);
}
