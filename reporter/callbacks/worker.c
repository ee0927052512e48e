/*
 * courier: turns. A turn sends the fates that have gathered to Redis, then
 * claims as many jobs as there is room for; it is the only place that waits
 * for Redis. What happens to a job in between is dispatcher.h's. So there is a
 * turn for many jobs under load, and one soon after each job when there is
 * little to do.
 */
#include "worker.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "dispatcher.h"
#include "stats.h"
#include "store/job_queue.h"

enum {
    IDLE_TURN_MS = 50,  /* a new job is found within this */
    BUSY_TURN_MS = 5,   /* a fate waits for no longer than this */
    DRAIN_TURN_MS = 20, /* tries to flush while draining */
    WALK_TURN_MS = 20,  /* past jobs that there is no place for */
    SCOUT_MS = 50,      /* between two looks at what is behind those */
    FULL_HOUSE = 128,   /* fates that are worth a turn at once */
};

struct worker {
    const struct options *options;
    struct event_loop *loop;
    struct redis *redis;
    struct job_queue *queue;
    struct dispatcher *dispatcher;
    struct stats *stats;
    size_t kept; /* jobs of the claim under way that were not given back */
    int64_t scouted_ms; /* monotonic: when more was claimed than has room */
    struct event_loop_timer turn;
    struct event_loop_timer deadline; /* of a drain */
    bool draining;
    int64_t give_up_ms; /* monotonic: a drain waits so long for Redis; 0: no */
    void (*drained)(void *context); /* NULL: not wanted, or called */
    void *drained_context;
    struct log_throttle claim_trouble;  /* Redis refuses a claim */
    struct log_throttle settle_trouble; /* ... the fates of jobs */
};

/* Has a turn within delay_ms, or sooner where one is due sooner. */
static void
schedule(struct worker *worker, int64_t delay_ms)
{
    if (!worker->turn.armed ||
        worker->turn.due_ms > clock_mono_ms() + delay_ms) {
        event_loop_arm(worker->loop, &worker->turn, delay_ms);
    }
}

static void
on_ended(void *context, struct job *job, const struct retry_policy *outcome)
{
    struct worker *worker = context;
    int64_t quarter = worker->options->callbacks.concurrency / 4;
    size_t enough = quarter < FULL_HOUSE ? (size_t)quarter : FULL_HOUSE;

    stats_count(worker->stats, outcome);
    job_queue_settle(worker->queue, job, outcome->disposition,
                     outcome->delay_ms, outcome->reason);
    schedule(worker,
             job_queue_unflushed(worker->queue) >= enough ? 0 : BUSY_TURN_MS);
}

static void
on_job(void *context, struct job *job)
{
    struct worker *worker = context;

    worker->kept += dispatcher_add(worker->dispatcher, job);
}

/* That Redis is away is said by others; that it refuses a script is not. */
static void
log_result(struct worker *worker, struct log_throttle *trouble, const char *who,
           int result)
{
    if (result == 0) {
        log_throttle_over(trouble, who);
    } else if (redis_state(worker->redis) == REDIS_STATE_UP) {
        log_throttle_note(trouble, who, redis_error(worker->redis));
    }
}

/* Sends the fates that have gathered, if any. As job_queue_flush. */
static int
flush(struct worker *worker)
{
    struct job_queue_flushed flushed;
    int result;

    if (job_queue_unflushed(worker->queue) == 0) {
        return 0;
    }
    result = job_queue_flush(worker->queue, &flushed);
    stats_count_flushed(worker->stats, &flushed);
    log_result(worker, &worker->settle_trouble, "settling callbacks", result);
    return result;
}

/* Before anything of this Redis is started: it may be another by now. */
static void
protect(struct worker *worker)
{
    struct sockaddr_storage redis;

    if (redis_peer(worker->redis, &redis)) {
        dispatcher_protect(worker->dispatcher, (struct sockaddr *)&redis);
    }
}

/*
 * How many jobs to claim: what there is room for, and now and then a whole
 * batch. What has no place goes back at once, and behind it may be a job for
 * somebody who has nothing to do.
 */
static size_t
claim_size(struct worker *worker)
{
    size_t room = dispatcher_room(worker->dispatcher);
    int64_t now_ms = clock_mono_ms();

    if (room < JOB_QUEUE_BATCH && !worker->draining &&
        now_ms - worker->scouted_ms >= SCOUT_MS) {
        worker->scouted_ms = now_ms;
        return JOB_QUEUE_BATCH;
    }
    return room;
}

/* Claims some. Returns when to look again. */
static int64_t
claim(struct worker *worker)
{
    size_t most = claim_size(worker);
    struct job_queue_claimed claimed;
    int result;

    if (most == 0) {
        return IDLE_TURN_MS;
    }
    worker->kept = 0;
    result = job_queue_claim(worker->queue, most, on_job, worker, &claimed);
    log_result(worker, &worker->claim_trouble, "claiming callbacks", result);
    if (result != 0) {
        return IDLE_TURN_MS;
    }
    protect(worker);
    stats_count_unreadable(worker->stats, claimed.unreadable);
    if (claimed.more) {
        return 2 * worker->kept < claimed.count ? WALK_TURN_MS : 0;
    }
    return claimed.count > 0 ? BUSY_TURN_MS : IDLE_TURN_MS;
}

/* Calls back, once, when all is settled or Redis does not come back. */
static void
drain_turn(struct worker *worker)
{
    void (*drained)(void *context) = worker->drained;
    int64_t now_ms = clock_mono_ms();
    bool flushed = flush(worker) == 0;

    if (dispatcher_under_way(worker->dispatcher) > 0 || drained == NULL) {
        return;
    }
    if (worker->give_up_ms == 0) {
        worker->give_up_ms = now_ms + worker->options->redis.timeout_ms;
    }
    if (!flushed && now_ms < worker->give_up_ms) {
        schedule(worker, DRAIN_TURN_MS);
        return;
    }
    if (!flushed) {
        log_warn("callbacks: Redis is away: %zu jobs will be claimed again "
                 "when their lease runs out",
                 job_queue_unflushed(worker->queue));
    }
    event_loop_disarm(worker->loop, &worker->deadline);
    worker->drained = NULL;
    drained(worker->drained_context);
}

static void
on_turn(void *context)
{
    struct worker *worker = context;

    if (worker->draining) {
        drain_turn(worker);
    } else if (flush(worker) != 0) {
        schedule(worker, IDLE_TURN_MS);
    } else {
        schedule(worker, claim(worker));
    }
    dispatcher_step(worker->dispatcher);
    stats_step(worker->stats, worker->redis);
}

/* The time to drain is over: what is still under way goes back. */
static void
on_deadline(void *context)
{
    struct worker *worker = context;

    dispatcher_abort(worker->dispatcher);
    schedule(worker, 0);
}

static bool
set_up(struct worker *worker)
{
    const struct options *options = worker->options;

    worker->turn.handler = on_turn;
    worker->turn.context = worker;
    worker->deadline.handler = on_deadline;
    worker->deadline.context = worker;
    worker->queue = job_queue_open(options, worker->redis);
    worker->dispatcher =
        dispatcher_open(options, worker->loop, on_ended, worker);
    if (worker->dispatcher == NULL) {
        return false;
    }
    worker->stats = stats_open(options, worker->dispatcher);
    return worker->queue != NULL && worker->stats != NULL;
}

struct worker *
worker_open(const struct options *options, struct event_loop *loop,
            struct redis *redis)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->options = options;
    worker->loop = loop;
    worker->redis = redis;
    if (!set_up(worker)) {
        worker_close(worker);
        return NULL;
    }
    schedule(worker, 0);
    return worker;
}

void
worker_close(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    event_loop_disarm(worker->loop, &worker->turn);
    event_loop_disarm(worker->loop, &worker->deadline);
    stats_close(worker->stats);
    dispatcher_close(worker->dispatcher);
    job_queue_close(worker->queue);
    free(worker);
}

/* May be called in the middle of a turn, which waits for Redis. */
void
worker_wake(struct worker *worker)
{
    schedule(worker, 0);
}

void
worker_reopen(struct worker *worker)
{
    dispatcher_reopen(worker->dispatcher);
}

void
worker_drain(struct worker *worker, void (*done)(void *context), void *context)
{
    worker->draining = true;
    worker->drained = done;
    worker->drained_context = context;
    dispatcher_stop(worker->dispatcher);
    event_loop_arm(worker->loop, &worker->deadline,
                   worker->options->callbacks.timeout_ms);
    schedule(worker, 0);
}
