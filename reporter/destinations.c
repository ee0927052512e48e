/*
 * destinations: every destination stands on one shelf, by what it waits for,
 * and moves when that changes; so no step looks at more than it has to. Only
 * time moves nothing: a job whose lease has become too short is found when it
 * would be started, or once a second.
 */
#include "destinations.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "origin.h"

/* A power of two; a few destinations a bucket where all are known. */
enum { BUCKETS = 4096, SWEEP_MS = 1000 };

/* How many are looked at to find one that may be forgotten. */
enum { FORGET_LOOKS = 16 };

/* One in so many places is for those who have no job here yet. */
enum { RESERVE = 8 };

/*
 * Jobs that were given back come again within this time, and half a millisecond
 * more for each that is outside: looking at them must not keep us from all
 * else.
 */
enum { ROUND_MIN_MS = 10000, LOOKS_PER_MS = 2 };

enum shelf {
    SHELF_READY, /* has a job that may start: the round robin, from the head */
    SHELF_FULL,  /* has jobs, and as many attempts under way as it may */
    SHELF_SHED,  /* has jobs that are to be given back */
    SHELF_QUIET, /* has attempts under way, and no job that waits */
    SHELF_IDLE,  /* has nothing: the one idle for longest at the head */
};

enum { SHELVES = SHELF_IDLE + 1 };

TAILQ_HEAD(shelf_list, destination);

struct destinations {
    const struct options *options;
    uint64_t seed;
    size_t capacity; /* on waiting */
    size_t waiting;  /* jobs here */
    size_t idle;     /* destinations on SHELF_IDLE */
    size_t outside;  /* jobs that were given back, as far as is known */
    int64_t swept_ms;
    int64_t now_ms; /* as a caller told it last */
    struct shelf_list shelves[SHELVES];
    struct destination *buckets[BUCKETS];
};

struct destinations *
destinations_open(const struct options *options, uint64_t seed)
{
    struct destinations *destinations = calloc(1, sizeof(*destinations));

    if (destinations == NULL) {
        return NULL;
    }
    destinations->options = options;
    destinations->seed = seed;
    destinations->capacity = 2 * (size_t)options->callbacks.concurrency;
    if (destinations->capacity < DESTINATIONS_CAPACITY_MIN) {
        destinations->capacity = DESTINATIONS_CAPACITY_MIN;
    }
    for (int i = 0; i < SHELVES; i++) {
        TAILQ_INIT(&destinations->shelves[i]);
    }
    return destinations;
}

void
destinations_close(struct destinations *destinations)
{
    struct destination *destination;

    if (destinations == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((destination = destinations->buckets[i]) != NULL) {
            destinations->buckets[i] = destination->next;
            destination_close(destination);
        }
    }
    free(destinations);
}

/* FNV-1a (Fowler, Noll, Vo), begun with the seed and stirred at the end. */
static struct destination **
bucket(struct destinations *destinations, const char *origin)
{
    uint64_t hash = destinations->seed ^ UINT64_C(0xcbf29ce484222325);

    for (; *origin != '\0'; origin++) {
        hash = (hash ^ (unsigned char)*origin) * UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 32;
    return &destinations->buckets[hash % BUCKETS];
}

static struct destination *
find(struct destinations *destinations, const char *origin)
{
    struct destination *i = *bucket(destinations, origin);

    while (i != NULL && strcmp(i->origin, origin) != 0) {
        i = i->next;
    }
    return i;
}

/* Forgets an idle one. */
static void
forget(struct destinations *destinations, struct destination *destination)
{
    struct destination **i = bucket(destinations, destination->origin);

    while (*i != destination) {
        i = &(*i)->next;
    }
    *i = destination->next;
    TAILQ_REMOVE(&destinations->shelves[SHELF_IDLE], destination, link);
    destinations->idle--;
    destinations->outside -= destination->outside;
    destination_close(destination);
}

/*
 * Forgets one that has been idle for long, but not what is to be left alone:
 * it would be called again as if nothing had been. Unless all are.
 */
static void
forget_one(struct destinations *destinations)
{
    struct shelf_list *idle = &destinations->shelves[SHELF_IDLE];

    for (int i = 0; i < FORGET_LOOKS; i++) {
        struct destination *first = TAILQ_FIRST(idle);

        if (destination_blocked_ms(first, destinations->now_ms) <= 0) {
            break;
        }
        TAILQ_REMOVE(idle, first, link);
        TAILQ_INSERT_TAIL(idle, first, link);
    }
    forget(destinations, TAILQ_FIRST(idle));
}

/* Puts it last on a shelf. It is not forgotten by this, another may be. */
static void
put(struct destinations *destinations, struct destination *destination,
    enum shelf shelf)
{
    TAILQ_INSERT_TAIL(&destinations->shelves[shelf], destination, link);
    destination->shelf = shelf;
    if (shelf == SHELF_IDLE) {
        destinations->idle++;
        if (destinations->idle > DESTINATIONS_IDLE_MAX) {
            forget_one(destinations);
        }
    }
}

static void
move(struct destinations *destinations, struct destination *destination,
     enum shelf shelf)
{
    if (destination->shelf == SHELF_IDLE) {
        destinations->idle--;
    }
    TAILQ_REMOVE(&destinations->shelves[destination->shelf], destination, link);
    put(destinations, destination, shelf);
}

/* Makes one, idle. NULL: no memory. */
static struct destination *
make(struct destinations *destinations, const char *origin)
{
    struct destination **head = bucket(destinations, origin);
    struct destination *destination = destination_open(
        origin, (size_t)destinations->options->callbacks.per_host_concurrency);

    if (destination != NULL) {
        destination->next = *head;
        *head = destination;
        put(destinations, destination, SHELF_IDLE);
    }
    return destination;
}

/* What a lease must have left for an attempt to start. */
static int64_t
needed_ms(const struct destinations *destinations)
{
    return destinations->options->callbacks.timeout_ms + DESTINATIONS_MARGIN_MS;
}

static enum shelf
right_shelf(const struct destinations *destinations,
            const struct destination *destination, int64_t now_ms)
{
    if (destination->waiting == 0) {
        return destination->under_way > 0 ? SHELF_QUIET : SHELF_IDLE;
    }
    if (destination_blocked_ms(destination, now_ms) > 0 ||
        destination->first->leased_ms - now_ms < needed_ms(destinations)) {
        return SHELF_SHED;
    }
    return destination_is_free(destination, now_ms) ? SHELF_READY : SHELF_FULL;
}

/* Puts it where it belongs. True where it stood there already. */
static bool
tidy(struct destinations *destinations, struct destination *destination,
     int64_t now_ms)
{
    enum shelf shelf = right_shelf(destinations, destination, now_ms);

    destinations->now_ms = now_ms;
    if (destination->shelf == (int)shelf) {
        return true;
    }
    move(destinations, destination, shelf);
    return false;
}

size_t
destinations_room(const struct destinations *destinations)
{
    size_t taken = destinations->waiting + destinations->capacity / RESERVE;

    return taken < destinations->capacity ? destinations->capacity - taken : 0;
}

size_t
destinations_waiting(const struct destinations *destinations)
{
    return destinations->waiting;
}

static struct job *
pop(struct destinations *destinations, struct destination *destination)
{
    destinations->waiting--;
    return destination_pop(destination);
}

/*
 * How many jobs may wait for one destination, fewer the fuller it is here. Who
 * comes with a first job may have one of the places that are kept for that.
 */
static size_t
share(const struct destinations *destinations,
      const struct destination *destination)
{
    return destination->waiting == 0
               ? destinations->capacity - destinations->waiting
               : destinations_room(destinations);
}

/* True where job may wait for its turn here. */
static bool
has_place(const struct destinations *destinations,
          const struct destination *destination, const struct job *job,
          int64_t now_ms)
{
    int64_t turn_ms = now_ms + destination_backlog_ms(destination);

    return destination_blocked_ms(destination, now_ms) <= 0 &&
           destination->waiting < share(destinations, destination) &&
           job->leased_ms - turn_ms >= needed_ms(destinations);
}

/* Keeps the sum right, once destination's number is no longer before. */
static void
count_outside(struct destinations *destinations,
              const struct destination *destination, size_t before)
{
    destinations->outside += destination->outside - before;
}

/* When a job that is given back may come again. */
static int64_t
retry_ms(struct destinations *destinations, struct destination *destination,
         int64_t now_ms)
{
    int64_t looks_ms = (int64_t)(destinations->outside / LOOKS_PER_MS);
    size_t before = destination->outside;
    int64_t wait_ms =
        destination_retry_ms(destination, ROUND_MIN_MS + looks_ms, now_ms);

    count_outside(destinations, destination, before);
    return wait_ms;
}

int64_t
destinations_add(struct destinations *destinations, struct job *job,
                 int64_t now_ms)
{
    struct destination *destination;
    char origin[ORIGIN_SIZE];

    origin_read(job->url, origin);
    destination = find(destinations, origin);
    if (destination == NULL) {
        destination = make(destinations, origin);
    }
    if (destination == NULL) {
        return DESTINATIONS_RETRY_MS;
    }
    if (job->again) {
        size_t before = destination->outside;

        destination_came_again(destination);
        count_outside(destinations, destination, before);
    }
    if (!has_place(destinations, destination, job, now_ms)) {
        return retry_ms(destinations, destination, now_ms);
    }
    destination_push(destination, job);
    destinations->waiting++;
    tidy(destinations, destination, now_ms);
    return 0;
}

/* Starts its oldest job, which may start, and charges it. */
static struct job *
start(struct destinations *destinations, struct destination *destination,
      struct destination_ticket *ticket, int64_t now_ms)
{
    struct job *job = pop(destinations, destination);

    *ticket = destination_start(destination, now_ms);
    destination->credit -= destination_cost(destination);
    /* Who has nothing to start saves nothing up. */
    if (destination->waiting == 0 && destination->credit > 0) {
        destination->credit = 0;
    }
    if (tidy(destinations, destination, now_ms) && destination->credit <= 0) {
        move(destinations, destination, SHELF_READY);
    }
    return job;
}

/*
 * One at the head without credit gets some, and has to go to the end if that
 * did not pay its debt. A debt is at most DESTINATION_COST_MAX: so many rounds
 * later at most one can start.
 */
struct job *
destinations_next(struct destinations *destinations,
                  struct destination_ticket *ticket, int64_t now_ms)
{
    struct shelf_list *ready = &destinations->shelves[SHELF_READY];
    struct destination *destination;

    while ((destination = TAILQ_FIRST(ready)) != NULL) {
        if (!tidy(destinations, destination, now_ms)) {
            continue;
        }
        if (destination->credit <= 0) {
            destination->credit++;
        }
        if (destination->credit > 0) {
            return start(destinations, destination, ticket, now_ms);
        }
        move(destinations, destination, SHELF_READY);
    }
    return NULL;
}

void
destinations_end(struct destinations *destinations,
                 const struct destination_ticket *ticket,
                 const struct destination_news *news, int64_t now_ms)
{
    size_t before = ticket->destination->outside;

    destination_end(ticket, news, now_ms);
    count_outside(destinations, ticket->destination, before);
    tidy(destinations, ticket->destination, now_ms);
}

/* Looks once a second for what only time has changed. */
static void
sweep(struct destinations *destinations, int64_t now_ms)
{
    if (now_ms - destinations->swept_ms < SWEEP_MS) {
        return;
    }
    destinations->swept_ms = now_ms;
    for (int shelf = SHELF_READY; shelf <= SHELF_FULL; shelf++) {
        struct destination *i = TAILQ_FIRST(&destinations->shelves[shelf]);

        while (i != NULL) {
            struct destination *next = TAILQ_NEXT(i, link);

            tidy(destinations, i, now_ms);
            i = next;
        }
    }
}

struct job *
destinations_shed(struct destinations *destinations, int64_t *wait_ms,
                  int64_t now_ms)
{
    struct shelf_list *shed = &destinations->shelves[SHELF_SHED];
    struct destination *destination;

    sweep(destinations, now_ms);
    while ((destination = TAILQ_FIRST(shed)) != NULL) {
        if (tidy(destinations, destination, now_ms)) {
            struct job *job;

            *wait_ms = retry_ms(destinations, destination, now_ms);
            job = pop(destinations, destination);
            tidy(destinations, destination, now_ms);
            return job;
        }
    }
    return NULL;
}

struct job *
destinations_take(struct destinations *destinations)
{
    for (int shelf = SHELF_READY; shelf <= SHELF_SHED; shelf++) {
        struct destination *destination =
            TAILQ_FIRST(&destinations->shelves[shelf]);

        if (destination != NULL) {
            struct job *job = pop(destinations, destination);

            if (destination->waiting == 0) {
                move(destinations, destination,
                     destination->under_way > 0 ? SHELF_QUIET : SHELF_IDLE);
            }
            return job;
        }
    }
    return NULL;
}

static void
show(const struct destination *destination, destinations_visit *visit,
     void *context, int64_t now_ms)
{
    struct destination_status status = {
        .origin = destination->origin,
        .waiting = destination->waiting,
        .under_way = destination->under_way,
        .limit = destination->limit,
        .breaker = breaker_state(&destination->breaker, now_ms),
        .blocked_ms = destination_blocked_ms(destination, now_ms),
        .took_ms = destination->took_us / 1000,
    };

    visit(context, &status);
}

void
destinations_each(const struct destinations *destinations,
                  destinations_visit *visit, void *context, int64_t now_ms)
{
    for (int shelf = 0; shelf < SHELVES; shelf++) {
        const struct destination *i =
            TAILQ_FIRST(&destinations->shelves[shelf]);

        for (; i != NULL; i = TAILQ_NEXT(i, link)) {
            show(i, visit, context, now_ms);
        }
    }
}
