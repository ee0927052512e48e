/*
 * fair_queue: each destination has a state, and moves to another list when it
 * changes (see destinations.h). The passing of time alone moves nothing: a job
 * whose lease has become too short is found when it would start, or by a sweep
 * once a second.
 */
#include "fair_queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "destinations.h"
#include "paths.h"
#include "store/origin.h"

enum {
    SWEEP_MS = 1000,
    HOLD_SPREAD_MS = 60000, /* within this jobs of a blocked path return */
    HOLD_STEP_MS = 7, /* between the returns of two jobs of blocked paths */
    STRANGER_WAIT_MS = 1000, /* until a stranger without room is found again */
    RETURN_MS = 20,          /* of a job whose lease is too short to start */
};

struct fair_queue {
    const struct options *options;
    size_t capacity;            /* the limit on waiting */
    size_t waiting;             /* jobs here */
    size_t under_way;           /* attempts */
    size_t slots;               /* the limit on under_way, kept by the caller */
    size_t strangers_waiting;   /* of waiting: jobs for strangers */
    size_t strangers_under_way; /* of under_way: attempts at strangers */
    bool strange_turn;          /* the next slot is for a stranger first */
    int64_t swept_ms;           /* monotonic: the last sweep */
    int64_t now_ms; /* monotonic: the time that a caller passed last */
    struct destinations *destinations;
    struct address_load *load; /* attempts at strangers, by address */
    struct paths *paths;       /* those that fail */
    struct job *held;          /* jobs of blocked paths, to be returned */
    uint64_t spread;           /* counts those jobs, to spread their returns */
};

struct fair_queue *
fair_queue_open(const struct options *options, uint64_t seed)
{
    struct fair_queue *queue = calloc(1, sizeof(*queue));

    if (queue == NULL) {
        return NULL;
    }
    queue->options = options;
    queue->capacity = (size_t)int64_max(2 * options->callbacks.concurrency,
                                        FAIR_QUEUE_CAPACITY_MIN);
    queue->slots = (size_t)options->callbacks.concurrency;
    queue->destinations = destinations_open(
        (size_t)options->callbacks.per_host_concurrency, seed);
    queue->load = address_load_open();
    queue->paths = paths_open(seed);
    if (queue->destinations == NULL || queue->load == NULL ||
        queue->paths == NULL) {
        fair_queue_close(queue);
        return NULL;
    }
    return queue;
}

void
fair_queue_close(struct fair_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    while (queue->held != NULL) {
        struct job *job = queue->held;

        queue->held = job->next;
        job_free(job);
    }
    destinations_close(queue->destinations);
    address_load_close(queue->load);
    paths_close(queue->paths);
    free(queue);
}

/* Takes the jobs and attempts of a destination out of the sums of strangers.
   To be called before they or its proof change, and count() after that. */
static void
uncount(struct fair_queue *queue, const struct destination *destination)
{
    if (!destination->proven) {
        queue->strangers_waiting -= destination->waiting;
        queue->strangers_under_way -= destination->under_way;
    }
}

static void
count(struct fair_queue *queue, const struct destination *destination)
{
    if (!destination->proven) {
        queue->strangers_waiting += destination->waiting;
        queue->strangers_under_way += destination->under_way;
    }
}

/* How much of its lease a job must have left to start. */
static int64_t
min_lease_ms(const struct fair_queue *queue)
{
    return queue->options->callbacks.timeout_ms + FAIR_QUEUE_MARGIN_MS;
}

static enum destination_state
find_state(const struct fair_queue *queue,
           const struct destination *destination, int64_t now_ms)
{
    if (destination->waiting == 0) {
        return destination->under_way + destination->coming > 0
                   ? DESTINATION_QUIET
                   : DESTINATION_IDLE;
    }
    if (destination_blocked_ms(destination, now_ms) > 0 ||
        destination->first->leased_ms - now_ms < min_lease_ms(queue)) {
        return DESTINATION_EXPIRED;
    }
    if (!destination_may_start(destination, now_ms)) {
        return DESTINATION_FULL;
    }
    return destination->proven ? DESTINATION_READY : DESTINATION_STRANGE;
}

/* Moves it to the list of its state. True if it was in that list already. */
static bool
update_state(struct fair_queue *queue, struct destination *destination,
             int64_t now_ms)
{
    enum destination_state state = find_state(queue, destination, now_ms);

    queue->now_ms = now_ms;
    if (destination->state == (int)state) {
        return true;
    }
    destinations_move(queue->destinations, destination, state, now_ms);
    return false;
}

size_t
fair_queue_room(const struct fair_queue *queue)
{
    return queue->waiting < queue->capacity ? queue->capacity - queue->waiting
                                            : 0;
}

static size_t
max_strangers(const struct fair_queue *queue)
{
    return queue->slots > 1 ? queue->slots / 2 : 1;
}

size_t
fair_queue_room_for_strangers(const struct fair_queue *queue)
{
    size_t taken = queue->strangers_waiting + queue->strangers_under_way;
    size_t most = max_strangers(queue);

    return taken < most ? most - taken : 0;
}

void
fair_queue_set_slots(struct fair_queue *queue, size_t slots)
{
    queue->slots = slots;
}

/*
 * Takes over what Redis knows. If it has been lost here, another reporter may
 * reach it: that is no news for Redis. If it is proven here and Redis does not
 * know, or has forgotten, that is.
 */
static void
compare_proof(struct fair_queue *queue, struct destination *destination,
              bool proven, int64_t now_ms)
{
    if (proven && !destination->proven &&
        destination->lost < DESTINATION_LOST) {
        uncount(queue, destination);
        destination_prove(destination, now_ms);
        count(queue, destination);
    } else if (!proven && destination->proven) {
        destinations_set_news(queue->destinations, destination, true);
    }
}

/* How many of its jobs to claim. */
static size_t
room_of(struct fair_queue *queue, const struct destination *destination,
        int64_t now_ms)
{
    bool crowded = !destination->proven &&
                   !address_load_has_room(queue->load, &destination->addresses);

    return crowded ? 0 : destination_room(destination, now_ms);
}

size_t
fair_queue_room_of(struct fair_queue *queue, const char *origin, bool proven,
                   bool *stranger, int64_t *wait_ms, int64_t now_ms)
{
    struct destination *destination =
        proven ? destinations_get(queue->destinations, origin, now_ms)
               : destinations_find(queue->destinations, origin);
    size_t room;

    *wait_ms = 0;
    *stranger = true;
    if (destination == NULL) {
        return 1;
    }
    compare_proof(queue, destination, proven, now_ms);
    *stranger = !destination->proven;
    room = room_of(queue, destination, now_ms);
    if (room == 0) {
        *wait_ms = int64_max(destination_room_in_ms(destination, now_ms),
                             destination->proven ? 0 : STRANGER_WAIT_MS);
    }
    return room;
}

bool
fair_queue_permits(struct fair_queue *queue,
                   const struct destination_ticket *ticket,
                   const char *addresses, int64_t now_ms)
{
    struct destination *destination = ticket->destination;

    if (destination->proven || destination->counted) {
        return true;
    }
    address_set_read(&destination->addresses, addresses);
    if (!address_load_has_room(queue->load, &destination->addresses)) {
        destination->crowded_until_ms = now_ms + DESTINATION_CROWDED_MS;
        return false;
    }
    destination->counted =
        address_load_take(queue->load, &destination->addresses) == 0;
    return true;
}

const char *
fair_queue_news(struct fair_queue *queue, int64_t *kept_ms, int64_t now_ms)
{
    struct destination *destination =
        destinations_first_news(queue->destinations);

    if (destination == NULL) {
        return NULL;
    }
    destinations_set_news(queue->destinations, destination, false);
    destination->noted_ms = now_ms;
    *kept_ms = destination_kept_ms(destination, now_ms);
    return destination->origin;
}

const char *
fair_queue_hungry(struct fair_queue *queue, size_t *room, int64_t now_ms)
{
    struct destination *i = destinations_first_hungry(queue->destinations);

    while (i != NULL) {
        struct destination *next = TAILQ_NEXT(i, hungry);

        *room = room_of(queue, i, now_ms);
        /* A look finds blocked destinations, and takes strangers in turn. */
        if (*room > 0 || !i->proven || destination_blocked_ms(i, now_ms) > 0) {
            destinations_set_more(queue->destinations, i, false);
        }
        if (*room > 0 && i->proven) {
            return i->origin;
        }
        i = next;
    }
    return NULL;
}

void
fair_queue_note_left(struct fair_queue *queue, const char *origin, size_t left)
{
    struct destination *destination =
        destinations_find(queue->destinations, origin);

    if (destination != NULL) {
        destinations_set_more(queue->destinations, destination, left > 0);
        if (left != SIZE_MAX) {
            destination->left = left;
        }
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

bool
fair_queue_is_full(const struct fair_queue *queue)
{
    return queue->under_way >= queue->slots;
}

/* Takes a job out of those that wait. */
static void
take_out(struct fair_queue *queue, struct destination *destination,
         struct job *job)
{
    uncount(queue, destination);
    destination_remove(destination, job);
    queue->waiting--;
    count(queue, destination);
}

static struct job *
pop(struct fair_queue *queue, struct destination *destination)
{
    struct job *job = destination->first;

    take_out(queue, destination, job);
    return job;
}

void
fair_queue_expect(struct fair_queue *queue, const struct job *job)
{
    char origin[ORIGIN_SIZE];
    struct destination *destination;

    origin_read(job->url, strlen(job->url), origin);
    destination = destinations_get(queue->destinations, origin, queue->now_ms);
    if (destination != NULL) {
        destination->coming++;
        update_state(queue, destination, queue->now_ms);
    }
}

void
fair_queue_unexpect(struct fair_queue *queue, const struct job *job)
{
    char origin[ORIGIN_SIZE];
    struct destination *destination;

    origin_read(job->url, strlen(job->url), origin);
    destination = destinations_find(queue->destinations, origin);
    /* Without memory, it was not noted. */
    if (destination != NULL && destination->coming > 0) {
        destination->coming--;
        update_state(queue, destination, queue->now_ms);
    }
}

/*
 * Takes over a job whose path is blocked, to be returned. Many such jobs are
 * returned for different times, as they will be found blocked again if the path
 * still fails.
 */
static void
hold_job(struct fair_queue *queue, struct job *job, int64_t blocked_ms)
{
    int64_t spread_ms = (int64_t)(queue->spread++ * HOLD_STEP_MS);

    job->delay_ms =
        blocked_ms + spread_ms % int64_min(blocked_ms, HOLD_SPREAD_MS);
    job->next = queue->held;
    queue->held = job;
}

int
fair_queue_add(struct fair_queue *queue, struct job *job, int64_t now_ms)
{
    struct destination *destination;
    char origin[ORIGIN_SIZE];
    int64_t blocked_ms;

    origin_read(job->url, strlen(job->url), origin);
    job->path_key = paths_key(queue->paths, origin, job->url);
    blocked_ms = paths_blocked_ms(queue->paths, job->path_key, now_ms);
    if (blocked_ms > 0) {
        hold_job(queue, job, blocked_ms);
        return 0;
    }
    destination = destinations_get(queue->destinations, origin, now_ms);
    if (destination == NULL) {
        return -1;
    }
    uncount(queue, destination);
    destination_push(destination, job);
    queue->waiting++;
    count(queue, destination);
    update_state(queue, destination, now_ms);
    return 0;
}

/*
 * Takes a waiting job out that may start: the first, or for a probe of the
 * breaker the first whose path does not fail. Takes out those of blocked paths
 * on its way. NULL: there is none.
 */
static struct job *
choose(struct fair_queue *queue, struct destination *destination,
       int64_t now_ms)
{
    bool probe = circuit_breaker_state(&destination->breaker, now_ms) ==
                 CIRCUIT_BREAKER_HALF_OPEN;
    struct job *chosen = NULL;
    struct job *job = destination->first;

    while (job != NULL) {
        struct job *next = job->next;
        int64_t blocked_ms =
            paths_blocked_ms(queue->paths, job->path_key, now_ms);

        if (blocked_ms > 0) {
            take_out(queue, destination, job);
            hold_job(queue, job, blocked_ms);
        } else if (!probe || !paths_has(queue->paths, job->path_key)) {
            chosen = job;
            break;
        } else if (chosen == NULL) {
            chosen = job;
        }
        job = next;
    }
    if (chosen != NULL) {
        take_out(queue, destination, chosen);
    }
    return chosen;
}

/* Starts a job of a destination in DESTINATION_READY, and charges it. NULL: all
   its jobs are of blocked paths. */
static struct job *
start(struct fair_queue *queue, struct destination *destination,
      struct destination_ticket *ticket, int64_t now_ms)
{
    struct job *job = choose(queue, destination, now_ms);

    if (job == NULL) {
        update_state(queue, destination, now_ms);
        return NULL;
    }
    uncount(queue, destination);
    *ticket = destination_start(destination, now_ms);
    ticket->path_key = job->path_key;
    ticket->path_probe = paths_start(queue->paths, job->path_key, now_ms);
    queue->under_way++;
    count(queue, destination);
    destination->credit -= destination_cost(destination);
    /* A destination without jobs must not save up credit. */
    if (destination->waiting == 0 && destination->credit > 0) {
        destination->credit = 0;
    }
    if (update_state(queue, destination, now_ms) && destination->credit <= 0) {
        destinations_move(queue->destinations, destination,
                          (enum destination_state)destination->state, now_ms);
    }
    return job;
}

/*
 * If the first destination has no credit, it gets 1; if it is still in debt, it
 * moves to the end. As a debt is at most DESTINATION_COST_MAX, the loop ends
 * after that many rounds.
 */
static struct job *
next_of(struct fair_queue *queue, enum destination_state state,
        struct destination_ticket *ticket, int64_t now_ms)
{
    struct destinations *all = queue->destinations;
    struct destination *destination;
    struct job *job;

    while ((destination = destinations_first(all, state)) != NULL) {
        if (!update_state(queue, destination, now_ms)) {
            continue;
        }
        if (destination->credit <= 0) {
            destination->credit++;
        }
        if (destination->credit <= 0) {
            destinations_move(all, destination, state, now_ms);
            continue;
        }
        job = start(queue, destination, ticket, now_ms);
        if (job != NULL) {
            return job;
        }
    }
    return NULL;
}

/* The next job of a stranger. NULL: none, or they have their share of slots. */
static struct job *
next_strange(struct fair_queue *queue, struct destination_ticket *ticket,
             int64_t now_ms)
{
    return queue->strangers_under_way < max_strangers(queue)
               ? next_of(queue, DESTINATION_STRANGE, ticket, now_ms)
               : NULL;
}

/* Strangers and the others take turns, as long as both have jobs. */
struct job *
fair_queue_next(struct fair_queue *queue, struct destination_ticket *ticket,
                int64_t now_ms)
{
    struct job *job = NULL;

    queue->strange_turn = !queue->strange_turn;
    if (queue->strange_turn) {
        job = next_strange(queue, ticket, now_ms);
    }
    if (job == NULL) {
        job = next_of(queue, DESTINATION_READY, ticket, now_ms);
    }
    if (job == NULL && !queue->strange_turn) {
        job = next_strange(queue, ticket, now_ms);
    }
    return job;
}

/* Notes that the proof of a destination has changed, or is old in Redis. */
static void
note_proof(struct fair_queue *queue, struct destination *destination,
           bool was_proven, int64_t now_ms)
{
    if (destination->proven != was_proven ||
        (destination->proven && destination->lost == 0 &&
         destination_is_note_old(destination, now_ms))) {
        destinations_set_news(queue->destinations, destination, true);
    }
}

void
fair_queue_end(struct fair_queue *queue,
               const struct destination_ticket *ticket,
               const struct retry_verdict *verdict, int64_t now_ms)
{
    struct destination *destination = ticket->destination;
    bool was_proven = destination->proven;

    uncount(queue, destination);
    destination_end(ticket, verdict, now_ms);
    paths_end(queue->paths, ticket->path_key, ticket->path_probe, verdict,
              now_ms);
    queue->under_way--;
    count(queue, destination);
    if (destination->counted) {
        destination->counted = false;
        address_load_give(queue->load, &destination->addresses);
    }
    note_proof(queue, destination, was_proven, now_ms);
    update_state(queue, destination, now_ms);
}

/* Finds, once a second, the states that the passing of time has changed. */
static void
sweep(struct fair_queue *queue, int64_t now_ms)
{
    if (now_ms - queue->swept_ms < SWEEP_MS) {
        return;
    }
    queue->swept_ms = now_ms;
    for (int state = DESTINATION_READY; state <= DESTINATION_FULL; state++) {
        struct destination *i = destinations_first(queue->destinations, state);

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
    struct destinations *all = queue->destinations;
    struct destination *destination;

    sweep(queue, now_ms);
    if (queue->held != NULL) {
        struct job *job = queue->held;

        queue->held = job->next;
        job->next = NULL;
        *retry_ms = job->delay_ms;
        return job;
    }
    while ((destination = destinations_first(all, DESTINATION_EXPIRED)) !=
           NULL) {
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
    struct job *held = queue->held;

    if (held != NULL) {
        queue->held = held->next;
        held->next = NULL;
        return held;
    }
    for (int state = DESTINATION_READY; state <= DESTINATION_EXPIRED; state++) {
        struct destination *destination =
            destinations_first(queue->destinations, state);

        if (destination != NULL) {
            struct job *job = pop(queue, destination);

            if (destination->waiting == 0) {
                destinations_move(queue->destinations, destination,
                                  destination->under_way > 0 ? DESTINATION_QUIET
                                                             : DESTINATION_IDLE,
                                  queue->now_ms);
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
        .proven = destination->proven,
        .breaker = circuit_breaker_state(&destination->breaker, now_ms),
        .failed =
            (int)int64_max(destination->breaker.in_row, destination->lost),
        .blocked_ms = destination_blocked_ms(destination, now_ms),
        .took_ms = destination->duration_us / 1000,
    };

    visit(context, &status);
}

void
fair_queue_each(const struct fair_queue *queue, fair_queue_visit *visit,
                void *context, int64_t now_ms)
{
    for (int state = 0; state < DESTINATION_STATES; state++) {
        const struct destination *i =
            destinations_first(queue->destinations, state);

        for (; i != NULL; i = TAILQ_NEXT(i, link)) {
            visit_one(i, visit, context, now_ms);
        }
    }
}

size_t
fair_queue_failing_paths(const struct fair_queue *queue, int64_t now_ms)
{
    return paths_count_open(queue->paths, now_ms);
}
