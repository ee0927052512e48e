/*
 * fair_queue: each destination has a state and is in the list of that state.
 * It moves to another list when its state changes, so that no function has to
 * search. The passing of time alone moves nothing: a job whose lease has become
 * too short is found when it would start, or by a sweep once a second.
 */
#include "fair_queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "store/origin.h"

enum {
    BUCKETS = 4096, /* of the hash table: a power of two */
    SWEEP_MS = 1000,
    RETURN_MS = 20,      /* of a job whose lease is too short to start */
    EVICTION_TRIES = 16, /* to find an idle destination that is not blocked */
};

enum state {
    STATE_READY,   /* a job may start: the round robin, in the list's order */
    STATE_FULL,    /* jobs wait; attempts under way are at the limit */
    STATE_EXPIRED, /* jobs wait that are to be returned */
    STATE_QUIET,   /* attempts are under way, no job waits */
    STATE_IDLE,    /* nothing; the destination idle for longest is first */
};

enum { STATES = STATE_IDLE + 1 };

TAILQ_HEAD(state_list, destination);

struct fair_queue {
    const struct options *options;
    uint64_t seed;
    size_t capacity;  /* the limit on waiting */
    size_t waiting;   /* jobs here */
    size_t under_way; /* attempts */
    size_t idle;      /* destinations in STATE_IDLE */
    int64_t swept_ms; /* monotonic: the last sweep */
    int64_t now_ms;   /* monotonic: the time that a caller passed last */
    struct state_list lists[STATES];
    struct state_list hungry; /* destinations with more jobs in Redis */
    struct destination *buckets[BUCKETS];
};

struct fair_queue *
fair_queue_open(const struct options *options, uint64_t seed)
{
    struct fair_queue *queue = calloc(1, sizeof(*queue));

    if (queue == NULL) {
        return NULL;
    }
    queue->options = options;
    queue->seed = seed;
    queue->capacity = (size_t)int64_max(2 * options->callbacks.concurrency,
                                        FAIR_QUEUE_CAPACITY_MIN);
    for (int i = 0; i < STATES; i++) {
        TAILQ_INIT(&queue->lists[i]);
    }
    TAILQ_INIT(&queue->hungry);
    return queue;
}

void
fair_queue_close(struct fair_queue *queue)
{
    struct destination *destination;

    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((destination = queue->buckets[i]) != NULL) {
            queue->buckets[i] = destination->next;
            destination_close(destination);
        }
    }
    free(queue);
}

static struct destination **
bucket(struct fair_queue *queue, const char *origin)
{
    return &queue->buckets[fnv1a(queue->seed, origin) % BUCKETS];
}

static struct destination *
find(struct fair_queue *queue, const char *origin)
{
    struct destination *i = *bucket(queue, origin);

    while (i != NULL && strcmp(i->origin, origin) != 0) {
        i = i->next;
    }
    return i;
}

/* Notes whether it has more jobs in Redis. */
static void
set_more(struct fair_queue *queue, struct destination *destination, bool more)
{
    if (destination->more && !more) {
        TAILQ_REMOVE(&queue->hungry, destination, hungry);
    } else if (!destination->more && more) {
        TAILQ_INSERT_TAIL(&queue->hungry, destination, hungry);
    }
    destination->more = more;
}

/* Forgets an idle destination. */
static void
evict(struct fair_queue *queue, struct destination *destination)
{
    struct destination **i = bucket(queue, destination->origin);

    while (*i != destination) {
        i = &(*i)->next;
    }
    *i = destination->next;
    TAILQ_REMOVE(&queue->lists[STATE_IDLE], destination, link);
    queue->idle--;
    set_more(queue, destination, false);
    destination_close(destination);
}

/*
 * Forgets a destination that has been idle for long. Blocked destinations are
 * passed over, because forgetting one would end its block; unless all of them
 * are blocked.
 */
static void
evict_one(struct fair_queue *queue)
{
    struct state_list *idle = &queue->lists[STATE_IDLE];

    for (int i = 0; i < EVICTION_TRIES; i++) {
        struct destination *first = TAILQ_FIRST(idle);

        if (destination_blocked_ms(first, queue->now_ms) <= 0) {
            break;
        }
        TAILQ_REMOVE(idle, first, link);
        TAILQ_INSERT_TAIL(idle, first, link);
    }
    evict(queue, TAILQ_FIRST(idle));
}

/* Appends it to the list of state. May evict another destination. */
static void
append(struct fair_queue *queue, struct destination *destination,
       enum state state)
{
    TAILQ_INSERT_TAIL(&queue->lists[state], destination, link);
    destination->state = state;
    if (state == STATE_IDLE) {
        queue->idle++;
        if (queue->idle > FAIR_QUEUE_IDLE_MAX) {
            evict_one(queue);
        }
    }
}

static void
move(struct fair_queue *queue, struct destination *destination,
     enum state state)
{
    if (destination->state == STATE_IDLE) {
        queue->idle--;
    }
    TAILQ_REMOVE(&queue->lists[destination->state], destination, link);
    append(queue, destination, state);
}

static size_t
max_limit(const struct fair_queue *queue)
{
    return (size_t)queue->options->callbacks.per_host_concurrency;
}

/* Makes an idle destination. NULL: no memory. */
static struct destination *
make_destination(struct fair_queue *queue, const char *origin)
{
    struct destination **head = bucket(queue, origin);
    struct destination *destination =
        destination_open(origin, max_limit(queue));

    if (destination != NULL) {
        destination->next = *head;
        *head = destination;
        append(queue, destination, STATE_IDLE);
    }
    return destination;
}

/* How much of its lease a job must have left to start. */
static int64_t
min_lease_ms(const struct fair_queue *queue)
{
    return queue->options->callbacks.timeout_ms + FAIR_QUEUE_MARGIN_MS;
}

static enum state
find_state(const struct fair_queue *queue,
           const struct destination *destination, int64_t now_ms)
{
    if (destination->waiting == 0) {
        return destination->under_way > 0 ? STATE_QUIET : STATE_IDLE;
    }
    if (destination_blocked_ms(destination, now_ms) > 0 ||
        destination->first->leased_ms - now_ms < min_lease_ms(queue)) {
        return STATE_EXPIRED;
    }
    return destination_may_start(destination, now_ms) ? STATE_READY
                                                      : STATE_FULL;
}

/* Moves it to the list of its state. True if it was in that list already. */
static bool
update_state(struct fair_queue *queue, struct destination *destination,
             int64_t now_ms)
{
    enum state state = find_state(queue, destination, now_ms);

    queue->now_ms = now_ms;
    if (destination->state == (int)state) {
        return true;
    }
    move(queue, destination, state);
    return false;
}

size_t
fair_queue_room(const struct fair_queue *queue)
{
    return queue->waiting < queue->capacity ? queue->capacity - queue->waiting
                                            : 0;
}

size_t
fair_queue_room_of(struct fair_queue *queue, const char *origin,
                   int64_t *wait_ms, int64_t now_ms)
{
    const struct destination *destination = find(queue, origin);
    size_t room;

    *wait_ms = 0;
    if (destination == NULL) {
        return size_min(DESTINATION_START_LIMIT, max_limit(queue));
    }
    room = destination_room(destination, now_ms);
    if (room == 0) {
        *wait_ms = destination_room_in_ms(destination, now_ms);
    }
    return room;
}

const char *
fair_queue_hungry(struct fair_queue *queue, size_t *room, int64_t now_ms)
{
    struct destination *i = TAILQ_FIRST(&queue->hungry);

    while (i != NULL) {
        struct destination *next = TAILQ_NEXT(i, hungry);

        *room = destination_room(i, now_ms);
        /* A blocked destination is found by a look later. */
        if (*room > 0 || destination_blocked_ms(i, now_ms) > 0) {
            set_more(queue, i, false);
        }
        if (*room > 0) {
            return i->origin;
        }
        i = next;
    }
    return NULL;
}

void
fair_queue_note_left(struct fair_queue *queue, const char *origin, size_t left)
{
    struct destination *destination = find(queue, origin);

    if (destination != NULL) {
        set_more(queue, destination, left > 0);
    }
}

size_t
fair_queue_waiting(const struct fair_queue *queue)
{
    return queue->waiting;
}

size_t
fair_queue_under_way(const struct fair_queue *queue)
{
    return queue->under_way;
}

static struct job *
pop(struct fair_queue *queue, struct destination *destination)
{
    queue->waiting--;
    return destination_pop(destination);
}

int
fair_queue_add(struct fair_queue *queue, struct job *job, int64_t now_ms)
{
    struct destination *destination;
    char origin[ORIGIN_SIZE];

    origin_read(job->url, strlen(job->url), origin);
    destination = find(queue, origin);
    if (destination == NULL) {
        destination = make_destination(queue, origin);
    }
    if (destination == NULL) {
        return -1;
    }
    destination_push(destination, job);
    queue->waiting++;
    update_state(queue, destination, now_ms);
    return 0;
}

/* Starts the first job of a destination in STATE_READY, and charges it. */
static struct job *
start(struct fair_queue *queue, struct destination *destination,
      struct destination_ticket *ticket, int64_t now_ms)
{
    struct job *job = pop(queue, destination);

    *ticket = destination_start(destination, now_ms);
    queue->under_way++;
    destination->credit -= destination_cost(destination);
    /* A destination without jobs must not save up credit. */
    if (destination->waiting == 0 && destination->credit > 0) {
        destination->credit = 0;
    }
    if (update_state(queue, destination, now_ms) && destination->credit <= 0) {
        move(queue, destination, STATE_READY);
    }
    return job;
}

/*
 * If the first destination has no credit, it gets 1; if it is still in debt, it
 * moves to the end. As a debt is at most DESTINATION_COST_MAX, the loop ends
 * after that many rounds.
 */
struct job *
fair_queue_next(struct fair_queue *queue, struct destination_ticket *ticket,
                int64_t now_ms)
{
    struct state_list *ready = &queue->lists[STATE_READY];
    struct destination *destination;

    while ((destination = TAILQ_FIRST(ready)) != NULL) {
        if (!update_state(queue, destination, now_ms)) {
            continue;
        }
        if (destination->credit <= 0) {
            destination->credit++;
        }
        if (destination->credit > 0) {
            return start(queue, destination, ticket, now_ms);
        }
        move(queue, destination, STATE_READY);
    }
    return NULL;
}

void
fair_queue_end(struct fair_queue *queue,
               const struct destination_ticket *ticket,
               const struct retry_verdict *verdict, int64_t now_ms)
{
    destination_end(ticket, verdict, now_ms);
    queue->under_way--;
    update_state(queue, ticket->destination, now_ms);
}

/* Finds, once a second, the states that the passing of time has changed. */
static void
sweep(struct fair_queue *queue, int64_t now_ms)
{
    if (now_ms - queue->swept_ms < SWEEP_MS) {
        return;
    }
    queue->swept_ms = now_ms;
    for (int state = STATE_READY; state <= STATE_FULL; state++) {
        struct destination *i = TAILQ_FIRST(&queue->lists[state]);

        while (i != NULL) {
            struct destination *next = TAILQ_NEXT(i, link);

            update_state(queue, i, now_ms);
            i = next;
        }
    }
}

struct job *
fair_queue_return_expired(struct fair_queue *queue, int64_t *retry_ms,
                          int64_t now_ms)
{
    struct state_list *expired = &queue->lists[STATE_EXPIRED];
    struct destination *destination;

    sweep(queue, now_ms);
    while ((destination = TAILQ_FIRST(expired)) != NULL) {
        if (update_state(queue, destination, now_ms)) {
            struct job *job;

            *retry_ms = int64_max(destination_blocked_ms(destination, now_ms),
                                  RETURN_MS);
            job = pop(queue, destination);
            update_state(queue, destination, now_ms);
            return job;
        }
    }
    return NULL;
}

struct job *
fair_queue_drain(struct fair_queue *queue)
{
    for (int state = STATE_READY; state <= STATE_EXPIRED; state++) {
        struct destination *destination = TAILQ_FIRST(&queue->lists[state]);

        if (destination != NULL) {
            struct job *job = pop(queue, destination);

            if (destination->waiting == 0) {
                move(queue, destination,
                     destination->under_way > 0 ? STATE_QUIET : STATE_IDLE);
            }
            return job;
        }
    }
    return NULL;
}

static void
visit_one(const struct destination *destination, fair_queue_visit *visit,
          void *context, int64_t now_ms)
{
    struct destination_status status = {
        .origin = destination->origin,
        .waiting = destination->waiting,
        .under_way = destination->under_way,
        .limit = destination->limit,
        .breaker = circuit_breaker_state(&destination->breaker, now_ms),
        .blocked_ms = destination_blocked_ms(destination, now_ms),
        .took_ms = destination->duration_us / 1000,
    };

    visit(context, &status);
}

void
fair_queue_each(const struct fair_queue *queue, fair_queue_visit *visit,
                void *context, int64_t now_ms)
{
    for (int state = 0; state < STATES; state++) {
        const struct destination *i = TAILQ_FIRST(&queue->lists[state]);

        for (; i != NULL; i = TAILQ_NEXT(i, link)) {
            visit_one(i, visit, context, now_ms);
        }
    }
}
