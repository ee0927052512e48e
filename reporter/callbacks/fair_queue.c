/*
 * destinations: every destination stands on one shelf, by what it waits for,
 * and moves when that changes; so no step looks at more than it has to. Only
 * time moves nothing: a job whose lease has become too short is found when it
 * would be started, or once a second.
 */
#include "fair_queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
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

enum state {
    STATE_READY, /* has a job that may start: the round robin, from the head */
    STATE_FULL,  /* has jobs, and as many attempts under way as it may */
    STATE_EXPIRED, /* has jobs that are to be given back */
    STATE_QUIET,   /* has attempts under way, and no job that waits */
    STATE_IDLE,    /* has nothing: the one idle for longest at the head */
};

enum { STATES = STATE_IDLE + 1 };

TAILQ_HEAD(state_list, destination);

struct fair_queue {
    const struct options *options;
    uint64_t seed;
    size_t capacity; /* on waiting */
    size_t waiting;  /* jobs here */
    size_t idle;     /* destinations on STATE_IDLE */
    size_t outside;  /* jobs that were given back, as far as is known */
    int64_t swept_ms;
    int64_t now_ms; /* as a caller told it last */
    struct state_list lists[STATES];
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
    queue->capacity = 2 * (size_t)options->callbacks.concurrency;
    if (queue->capacity < FAIR_QUEUE_CAPACITY_MIN) {
        queue->capacity = FAIR_QUEUE_CAPACITY_MIN;
    }
    for (int i = 0; i < STATES; i++) {
        TAILQ_INIT(&queue->lists[i]);
    }
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

/* Forgets an idle one. */
static void
forget(struct fair_queue *queue, struct destination *destination)
{
    struct destination **i = bucket(queue, destination->origin);

    while (*i != destination) {
        i = &(*i)->next;
    }
    *i = destination->next;
    TAILQ_REMOVE(&queue->lists[STATE_IDLE], destination, link);
    queue->idle--;
    queue->outside -= destination->outside;
    destination_close(destination);
}

/*
 * Forgets one that has been idle for long, but not what is to be left alone:
 * it would be called again as if nothing had been. Unless all are.
 */
static void
forget_one(struct fair_queue *queue)
{
    struct state_list *idle = &queue->lists[STATE_IDLE];

    for (int i = 0; i < FORGET_LOOKS; i++) {
        struct destination *first = TAILQ_FIRST(idle);

        if (destination_blocked_ms(first, queue->now_ms) <= 0) {
            break;
        }
        TAILQ_REMOVE(idle, first, link);
        TAILQ_INSERT_TAIL(idle, first, link);
    }
    forget(queue, TAILQ_FIRST(idle));
}

/* Puts it last on a shelf. It is not forgotten by this, another may be. */
static void
put(struct fair_queue *queue, struct destination *destination, enum state state)
{
    TAILQ_INSERT_TAIL(&queue->lists[state], destination, link);
    destination->state = state;
    if (state == STATE_IDLE) {
        queue->idle++;
        if (queue->idle > FAIR_QUEUE_IDLE_MAX) {
            forget_one(queue);
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
    put(queue, destination, state);
}

/* Makes one, idle. NULL: no memory. */
static struct destination *
make(struct fair_queue *queue, const char *origin)
{
    struct destination **head = bucket(queue, origin);
    struct destination *destination = destination_open(
        origin, (size_t)queue->options->callbacks.per_host_concurrency);

    if (destination != NULL) {
        destination->next = *head;
        *head = destination;
        put(queue, destination, STATE_IDLE);
    }
    return destination;
}

/* What a lease must have left for an attempt to start. */
static int64_t
needed_ms(const struct fair_queue *queue)
{
    return queue->options->callbacks.timeout_ms + FAIR_QUEUE_MARGIN_MS;
}

static enum state
right_state(const struct fair_queue *queue,
            const struct destination *destination, int64_t now_ms)
{
    if (destination->waiting == 0) {
        return destination->under_way > 0 ? STATE_QUIET : STATE_IDLE;
    }
    if (destination_blocked_ms(destination, now_ms) > 0 ||
        destination->first->leased_ms - now_ms < needed_ms(queue)) {
        return STATE_EXPIRED;
    }
    return destination_is_free(destination, now_ms) ? STATE_READY : STATE_FULL;
}

/* Puts it where it belongs. True where it stood there already. */
static bool
tidy(struct fair_queue *queue, struct destination *destination, int64_t now_ms)
{
    enum state state = right_state(queue, destination, now_ms);

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
    size_t taken = queue->waiting + queue->capacity / RESERVE;

    return taken < queue->capacity ? queue->capacity - taken : 0;
}

size_t
fair_queue_waiting(const struct fair_queue *queue)
{
    return queue->waiting;
}

static struct job *
pop(struct fair_queue *queue, struct destination *destination)
{
    queue->waiting--;
    return destination_pop(destination);
}

/*
 * How many jobs may wait for one destination, fewer the fuller it is here. Who
 * comes with a first job may have one of the places that are kept for that.
 */
static size_t
share(const struct fair_queue *queue, const struct destination *destination)
{
    return destination->waiting == 0 ? queue->capacity - queue->waiting
                                     : fair_queue_room(queue);
}

/* True where job may wait for its turn here. */
static bool
has_place(const struct fair_queue *queue, const struct destination *destination,
          const struct job *job, int64_t now_ms)
{
    int64_t turn_ms = now_ms + destination_backlog_ms(destination);

    return destination_blocked_ms(destination, now_ms) <= 0 &&
           destination->waiting < share(queue, destination) &&
           job->leased_ms - turn_ms >= needed_ms(queue);
}

/* Keeps the sum right, once destination's number is no longer before. */
static void
count_outside(struct fair_queue *queue, const struct destination *destination,
              size_t before)
{
    queue->outside += destination->outside - before;
}

/* When a job that is given back may come again. */
static int64_t
retry_ms(struct fair_queue *queue, struct destination *destination,
         int64_t now_ms)
{
    int64_t looks_ms = (int64_t)(queue->outside / LOOKS_PER_MS);
    size_t before = destination->outside;
    int64_t wait_ms =
        destination_retry_ms(destination, ROUND_MIN_MS + looks_ms, now_ms);

    count_outside(queue, destination, before);
    return wait_ms;
}

int64_t
fair_queue_add(struct fair_queue *queue, struct job *job, int64_t now_ms)
{
    struct destination *destination;
    char origin[ORIGIN_SIZE];

    origin_read(job->url, origin);
    destination = find(queue, origin);
    if (destination == NULL) {
        destination = make(queue, origin);
    }
    if (destination == NULL) {
        return FAIR_QUEUE_RETRY_MS;
    }
    if (job->reclaimed) {
        size_t before = destination->outside;

        destination_came_again(destination);
        count_outside(queue, destination, before);
    }
    if (!has_place(queue, destination, job, now_ms)) {
        return retry_ms(queue, destination, now_ms);
    }
    destination_push(destination, job);
    queue->waiting++;
    tidy(queue, destination, now_ms);
    return 0;
}

/* Starts its oldest job, which may start, and charges it. */
static struct job *
start(struct fair_queue *queue, struct destination *destination,
      struct destination_ticket *ticket, int64_t now_ms)
{
    struct job *job = pop(queue, destination);

    *ticket = destination_start(destination, now_ms);
    destination->credit -= destination_cost(destination);
    /* Who has nothing to start saves nothing up. */
    if (destination->waiting == 0 && destination->credit > 0) {
        destination->credit = 0;
    }
    if (tidy(queue, destination, now_ms) && destination->credit <= 0) {
        move(queue, destination, STATE_READY);
    }
    return job;
}

/*
 * One at the head without credit gets some, and has to go to the end if that
 * did not pay its debt. A debt is at most DESTINATION_COST_MAX: so many rounds
 * later at most one can start.
 */
struct job *
fair_queue_next(struct fair_queue *queue, struct destination_ticket *ticket,
                int64_t now_ms)
{
    struct state_list *ready = &queue->lists[STATE_READY];
    struct destination *destination;

    while ((destination = TAILQ_FIRST(ready)) != NULL) {
        if (!tidy(queue, destination, now_ms)) {
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
               const struct destination_news *news, int64_t now_ms)
{
    size_t before = ticket->destination->outside;

    destination_end(ticket, news, now_ms);
    count_outside(queue, ticket->destination, before);
    tidy(queue, ticket->destination, now_ms);
}

/* Looks once a second for what only time has changed. */
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

            tidy(queue, i, now_ms);
            i = next;
        }
    }
}

struct job *
fair_queue_return_expired(struct fair_queue *queue, int64_t *wait_ms,
                          int64_t now_ms)
{
    struct state_list *expired = &queue->lists[STATE_EXPIRED];
    struct destination *destination;

    sweep(queue, now_ms);
    while ((destination = TAILQ_FIRST(expired)) != NULL) {
        if (tidy(queue, destination, now_ms)) {
            struct job *job;

            *wait_ms = retry_ms(queue, destination, now_ms);
            job = pop(queue, destination);
            tidy(queue, destination, now_ms);
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
show(const struct destination *destination, fair_queue_visit *visit,
     void *context, int64_t now_ms)
{
    struct destination_status status = {
        .origin = destination->origin,
        .waiting = destination->waiting,
        .under_way = destination->under_way,
        .limit = destination->limit,
        .breaker = circuit_breaker_state(&destination->breaker, now_ms),
        .blocked_ms = destination_blocked_ms(destination, now_ms),
        .took_ms = destination->took_us / 1000,
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
            show(i, visit, context, now_ms);
        }
    }
}
