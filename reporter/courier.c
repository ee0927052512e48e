/*
 * courier: turns. A turn sends the fates that have gathered to Redis, then
 * claims as many jobs as there is room for; it is the only place that waits
 * for Redis. What happens to a job in between is delivery.h's. So there is a
 * turn for many jobs under load, and one soon after each job when there is
 * little to do.
 */
#include "courier.h"

#include <stdbool.h>
#include <stdlib.h>

#include "clock.h"
#include "delivery.h"
#include "jobs.h"
#include "log.h"
#include "standing.h"
#include "trouble.h"

enum {
    IDLE_TURN_MS = 50,  /* a new job is found within this */
    BUSY_TURN_MS = 5,   /* a fate waits for no longer than this */
    DRAIN_TURN_MS = 20, /* tries to flush while draining */
    WALK_TURN_MS = 20,  /* past jobs that there is no place for */
    SCOUT_MS = 50,      /* between two looks at what is behind those */
    FULL_HOUSE = 128,   /* fates that are worth a turn at once */
};

struct courier {
    const struct options *options;
    struct loop *loop;
    struct redis *redis;
    struct jobs *jobs;
    struct delivery *delivery;
    struct standing *standing;
    size_t kept; /* jobs of the claim under way that were not given back */
    int64_t scouted_ms; /* monotonic: when more was claimed than has room */
    struct loop_timer turn;
    struct loop_timer deadline; /* of a drain */
    bool draining;
    int64_t give_up_ms; /* monotonic: a drain waits so long for Redis; 0: no */
    void (*drained)(void *context); /* NULL: not wanted, or called */
    void *drained_context;
    struct trouble redis_trouble;
};

/* Has a turn within delay_ms, or sooner where one is due sooner. */
static void
hurry(struct courier *courier, int64_t delay_ms)
{
    if (!courier->turn.armed ||
        courier->turn.due_ms > clock_mono_ms() + delay_ms) {
        loop_arm(courier->loop, &courier->turn, delay_ms);
    }
}

static void
on_ended(void *context, struct job *job, const struct outcome *outcome)
{
    struct courier *courier = context;
    int64_t quarter = courier->options->callbacks.concurrency / 4;
    size_t enough = quarter < FULL_HOUSE ? (size_t)quarter : FULL_HOUSE;

    standing_count(courier->standing, outcome);
    jobs_settle(courier->jobs, job, outcome->fate, outcome->delay_ms,
                outcome->reason);
    hurry(courier, jobs_unflushed(courier->jobs) >= enough ? 0 : BUSY_TURN_MS);
}

static void
on_job(void *context, struct job *job)
{
    struct courier *courier = context;

    courier->kept += delivery_add(courier->delivery, job);
}

/* That Redis is away is said by others; that it refuses a script is not. */
static void
heed(struct courier *courier, int result)
{
    if (result == 0) {
        trouble_over(&courier->redis_trouble, "callbacks");
    } else if (redis_state(courier->redis) == REDIS_STATE_UP) {
        trouble_note(&courier->redis_trouble, "callbacks",
                     redis_error(courier->redis));
    }
}

static int
flush(struct courier *courier)
{
    struct jobs_flushed flushed;
    int result = jobs_flush(courier->jobs, &flushed);

    standing_count_flushed(courier->standing, &flushed);
    heed(courier, result);
    return result;
}

/* Before anything of this Redis is started: it may be another by now. */
static void
protect(struct courier *courier)
{
    struct sockaddr_storage redis;

    if (redis_peer(courier->redis, &redis)) {
        delivery_protect(courier->delivery, (struct sockaddr *)&redis);
    }
}

/*
 * How many jobs to claim: what there is room for, and now and then a whole
 * batch. What has no place goes back at once, and behind it may be a job for
 * somebody who has nothing to do.
 */
static size_t
appetite(struct courier *courier)
{
    size_t room = delivery_room(courier->delivery);
    int64_t now_ms = clock_mono_ms();

    if (room < JOBS_BATCH && !courier->draining &&
        now_ms - courier->scouted_ms >= SCOUT_MS) {
        courier->scouted_ms = now_ms;
        return JOBS_BATCH;
    }
    return room;
}

/* Claims some. Returns when to look again. */
static int64_t
claim(struct courier *courier)
{
    size_t most = appetite(courier);
    struct jobs_claimed claimed;
    int result;

    if (most == 0) {
        return IDLE_TURN_MS;
    }
    courier->kept = 0;
    result = jobs_claim(courier->jobs, most, on_job, courier, &claimed);
    heed(courier, result);
    if (result != 0) {
        return IDLE_TURN_MS;
    }
    protect(courier);
    standing_count_unreadable(courier->standing, claimed.unreadable);
    if (claimed.more) {
        return 2 * courier->kept < claimed.count ? WALK_TURN_MS : 0;
    }
    return claimed.count > 0 ? BUSY_TURN_MS : IDLE_TURN_MS;
}

/* Calls back, once, when all is settled or Redis does not come back. */
static void
drain_turn(struct courier *courier)
{
    void (*drained)(void *context) = courier->drained;
    int64_t now_ms = clock_mono_ms();
    bool flushed = flush(courier) == 0;

    if (delivery_under_way(courier->delivery) > 0 || drained == NULL) {
        return;
    }
    if (courier->give_up_ms == 0) {
        courier->give_up_ms = now_ms + courier->options->redis.timeout_ms;
    }
    if (!flushed && now_ms < courier->give_up_ms) {
        hurry(courier, DRAIN_TURN_MS);
        return;
    }
    if (!flushed) {
        log_warn("callbacks: Redis is away: %zu jobs will be claimed again "
                 "when their lease runs out",
                 jobs_unflushed(courier->jobs));
    }
    loop_disarm(courier->loop, &courier->deadline);
    courier->drained = NULL;
    drained(courier->drained_context);
}

static void
on_turn(void *context)
{
    struct courier *courier = context;

    if (courier->draining) {
        drain_turn(courier);
    } else if (flush(courier) != 0) {
        hurry(courier, IDLE_TURN_MS);
    } else {
        hurry(courier, claim(courier));
    }
    delivery_step(courier->delivery);
    standing_step(courier->standing, courier->redis);
}

/* The time to drain is over: what is still under way goes back. */
static void
on_deadline(void *context)
{
    struct courier *courier = context;

    delivery_abort(courier->delivery);
    hurry(courier, 0);
}

static bool
set_up(struct courier *courier)
{
    const struct options *options = courier->options;

    courier->turn.handler = on_turn;
    courier->turn.context = courier;
    courier->deadline.handler = on_deadline;
    courier->deadline.context = courier;
    courier->jobs = jobs_open(options, courier->redis);
    courier->delivery =
        delivery_open(options, courier->loop, on_ended, courier);
    if (courier->delivery == NULL) {
        return false;
    }
    courier->standing = standing_open(options, courier->delivery);
    return courier->jobs != NULL && courier->standing != NULL;
}

struct courier *
courier_open(const struct options *options, struct loop *loop,
             struct redis *redis)
{
    struct courier *courier = calloc(1, sizeof(*courier));

    if (courier == NULL) {
        return NULL;
    }
    courier->options = options;
    courier->loop = loop;
    courier->redis = redis;
    if (!set_up(courier)) {
        courier_close(courier);
        return NULL;
    }
    hurry(courier, 0);
    return courier;
}

void
courier_close(struct courier *courier)
{
    if (courier == NULL) {
        return;
    }
    loop_disarm(courier->loop, &courier->turn);
    loop_disarm(courier->loop, &courier->deadline);
    standing_close(courier->standing);
    delivery_close(courier->delivery);
    jobs_close(courier->jobs);
    free(courier);
}

/* May be called in the middle of a turn, which waits for Redis. */
void
courier_wake(struct courier *courier)
{
    hurry(courier, 0);
}

void
courier_reopen(struct courier *courier)
{
    delivery_reopen(courier->delivery);
}

void
courier_drain(struct courier *courier, void (*done)(void *context),
              void *context)
{
    courier->draining = true;
    courier->drained = done;
    courier->drained_context = context;
    delivery_stop(courier->delivery);
    loop_arm(courier->loop, &courier->deadline,
             courier->options->callbacks.timeout_ms);
    hurry(courier, 0);
}
