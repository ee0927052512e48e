/*
 * worker: works in turns. A turn settles the jobs that have ended, then claims
 * jobs of the destinations that have room for more. A claimed job goes to the
 * look-ups, then to the fair queue, then to the dispatcher. Only a turn waits
 * for Redis. Under load one turn serves many jobs; otherwise a turn follows
 * soon after each job.
 */
#include "worker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/util.h"
#include "blocklist.h"
#include "callback_log.h"
#include "deaths.h"
#include "destination.h"
#include "dispatcher.h"
#include "fair_queue.h"
#include "lookups.h"
#include "retry_policy.h"
#include "settings.h"
#include "stats.h"
#include "store/job_queue.h"
#include "store/origin.h"
#include "traces.h"
#include "wishes.h"

enum {
    IDLE_TURN_MS = 50,  /* a new job is found within this */
    BUSY_TURN_MS = 5,   /* an ended job is settled within this */
    DRAIN_TURN_MS = 20, /* between tries to settle during a drain */
    NEWS_MAX = 128,     /* destinations that Redis learns of at once */
    CLAIM_ROOM = JOB_QUEUE_BATCH, /* no claim if there is room for fewer jobs */
    CLAIM_AGAIN_MS = 20,      /* between two claims while all slots are taken */
    RECOUNT_AGAIN_MS = 1000,  /* if Redis refused to count */
    NO_MEMORY_MS = 1000,      /* without memory, a job is returned for this */
    SETTLE_AT_ONCE = 128,     /* so many ended jobs are settled at once */
    UNASKED_RETURN_MS = 1000, /* of a job whose host can't be looked up now */
};

struct worker {
    const struct options *options;
    struct event_loop *loop;
    struct redis *redis;
    struct metrics *metrics;
    struct settings settings;
    struct callback_log *log;
    struct job_queue *jobs;   /* in Redis */
    struct lookups *lookups;  /* claimed, waiting for their addresses */
    struct fair_queue *queue; /* claimed, waiting to be started */
    struct dispatcher *dispatcher;
    struct traces *traces;
    struct stats *stats;
    bool claiming;      /* a claim is under way */
    int64_t claimed_ms; /* monotonic: the last claim */
    int64_t recount_ms; /* monotonic: the next recount */
    struct event_loop_timer turn;
    struct event_loop_timer deadline; /* of a drain */
    bool draining;
    int64_t give_up_ms; /* monotonic: the end of waiting for Redis in a drain;
                           0: not yet waiting */
    void (*drained)(void *context); /* NULL: no drain, or called already */
    void *drained_context;
    struct deaths deaths;
    struct log_throttle look_trouble; /* Redis refuses */
    struct log_throttle claim_trouble;
    struct log_throttle prove_trouble;
    struct log_throttle recount_trouble;
    struct log_throttle settle_trouble;
};

/* Plans a turn in delay_ms, unless an earlier one is planned. */
static void
schedule(struct worker *worker, int64_t delay_ms)
{
    if (!worker->turn.armed ||
        worker->turn.due_ms > clock_mono_ms() + delay_ms) {
        event_loop_arm(worker->loop, &worker->turn, delay_ms);
    }
}

/* Logs the end of a job that came without an attempt. */
static void
log_end(struct worker *worker, const struct job *job,
        const struct retry_verdict *verdict)
{
    char origin[ORIGIN_SIZE];
    struct callback_log_line line = {
        .job = job, .error = verdict->reason, .next = verdict->disposition};

    origin_read(job->url, strlen(job->url), origin);
    line.host = strstr(origin, "://") + strlen("://");
    callback_log_write(worker->log, &line);
}

/* Takes job over. A dispatcher_ended. */
static void
settle(void *context, struct job *job, const struct retry_verdict *verdict)
{
    struct worker *worker = context;
    int64_t quarter = worker->options->callbacks.concurrency / 4;
    size_t enough = (size_t)int64_min(quarter, SETTLE_AT_ONCE);

    stats_count(worker->stats, job, verdict->disposition);
    if (verdict->disposition == JOB_DEAD) {
        deaths_note(&worker->deaths, job->url, verdict->reason);
    } else if (verdict->disposition == JOB_DROPPED) {
        log_end(worker, job, verdict);
    }
    job_queue_settle(worker->jobs, job, verdict->disposition, verdict->delay_ms,
                     verdict->reason);
    schedule(worker,
             job_queue_unflushed(worker->jobs) >= enough ? 0 : BUSY_TURN_MS);
}

/* An attempt is about to begin. A dispatcher_begins. */
static bool
on_begin(void *context, struct job *job)
{
    struct worker *worker = context;

    return job_queue_begin(worker->jobs, job) == 0;
}

/* Returns a job to Redis, to be claimed again after delay_ms. */
static void
return_job(struct worker *worker, struct job *job, int64_t delay_ms)
{
    struct retry_verdict verdict = {.disposition = JOB_RETURN,
                                    .delay_ms = delay_ms};

    settle(worker, job, &verdict);
}

/* Puts a job whose addresses are known into the fair queue. */
static void
enqueue(struct worker *worker, struct job *job)
{
    if (fair_queue_add(worker->queue, job, clock_mono_ms()) != 0) {
        return_job(worker, job, NO_MEMORY_MS);
    }
}

/* Ends an attempt that failed because its host has no addresses. */
static void
fail_lookup(struct worker *worker, struct job *job, const char *host,
            int64_t duration_us)
{
    struct retry_facts facts = {.code = CURLE_COULDNT_RESOLVE_HOST,
                                .attempts = job->attempts,
                                .returned = job->returned,
                                .random = (uint32_t)random_number()};
    struct retry_verdict verdict = retry_policy_classify(
        &worker->options->callbacks.retry_delays_s, &facts);
    struct callback_log_line line = {.job = job,
                                     .host = host,
                                     .error = verdict.error,
                                     .duration_ms = duration_us / 1000,
                                     .next = verdict.disposition};

    callback_log_write(worker->log, &line);
    traces_note(worker->traces, &line, NULL);
    stats_count_attempt(worker->stats, &verdict);
    metrics_observe_phase(worker->metrics, METRICS_PHASE_ALL, duration_us);
    settle(worker, job, &verdict);
}

/* The end of a look-up. A lookups_handler. */
static void
on_looked_up(void *context, struct job *job, enum dns_cache_answer answer,
             const char *host, int64_t duration_us)
{
    struct worker *worker = context;

    if (duration_us > 0) { /* else the answer was in the cache */
        metrics_observe_phase(worker->metrics, METRICS_PHASE_DNS, duration_us);
    }
    fair_queue_unexpect(worker->queue, job);
    switch (answer) {
    case DNS_CACHE_KNOWN:
        enqueue(worker, job);
        break;
    case DNS_CACHE_FAILED:
        fail_lookup(worker, job, host, duration_us);
        break;
    case DNS_CACHE_WAIT: /* never */
    case DNS_CACHE_UNASKED:
        dispatcher_note_shortage(worker->dispatcher,
                                 "too many names to look up");
        return_job(worker, job, UNASKED_RETURN_MS);
        break;
    }
    /* During a claim, the turn starts its jobs later: see protect_redis. */
    if (!worker->claiming) {
        dispatcher_step(worker->dispatcher);
    }
}

/* A claimed job. A job_queue_take. */
static void
on_job(void *context, struct job *job)
{
    static const struct retry_verdict abandoned = {.disposition = JOB_DEAD,
                                                   .reason = "abandoned"};
    struct worker *worker = context;
    struct retry_verdict verdict;

    /* The job itself may be what ends reporters. */
    if (retry_policy_is_hopeless(&worker->options->callbacks.retry_delays_s,
                                 job->attempts)) {
        log_end(worker, job, &abandoned);
        settle(worker, job, &abandoned);
    } else if (blocklist_has(worker->settings.blocks, job, &verdict)) {
        settle(worker, job, &verdict);
    } else {
        fair_queue_expect(worker->queue, job);
        (void)lookups_add(worker->lookups, job);
    }
}

/* Logs if Redis refuses a script. redis.c itself logs if Redis is down. */
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

/* Marks the attempts that have begun, and settles the jobs that have ended. 0,
   or -1. */
static int
flush(struct worker *worker)
{
    struct job_queue_flushed flushed;
    int result = job_queue_mark(worker->jobs);

    if (result == 0 && job_queue_unflushed(worker->jobs) > 0) {
        result = job_queue_flush(worker->jobs, &flushed);
        stats_count_flushed(worker->stats, &flushed);
    }
    log_result(worker, &worker->settle_trouble, "settling callbacks", result);
    return result;
}

/*
 * Forbids callbacks to the addresses of Redis. Called after each claim, before
 * its jobs start: by now the connection may lead to another Redis.
 */
static void
protect_redis(struct worker *worker)
{
    redis_visit_peers(worker->redis, address_policy_protect,
                      worker->settings.policy);
}

/* Claims the wishes. Returns the delay until the next turn. */
static int64_t
claim_wishes(struct worker *worker, struct wishes *wishes, bool more)
{
    struct job_queue_claimed claimed;
    int result;

    worker->claiming = true;
    result = job_queue_claim(worker->jobs, wishes->list, wishes->count, on_job,
                             worker, &claimed);
    worker->claiming = false;
    log_result(worker, &worker->claim_trouble, "claiming callbacks", result);
    if (result != 0) {
        return IDLE_TURN_MS;
    }
    wishes_note_left(wishes);
    stats_count_unreadable(worker->stats, claimed.unreadable);
    if (claimed.count > 0) {
        protect_redis(worker);
        return wishes->cut || more ? 0 : BUSY_TURN_MS;
    }
    return more ? BUSY_TURN_MS : IDLE_TURN_MS;
}

/*
 * True if all slots are taken, and so many jobs wait for a free slot that a
 * claim now would only be smaller than a claim later.
 */
static bool
has_enough(const struct worker *worker, int64_t now_ms)
{
    return fair_queue_is_full(worker->queue) &&
           fair_queue_waiting(worker->queue) >= JOB_QUEUE_BATCH &&
           now_ms - worker->claimed_ms < CLAIM_AGAIN_MS;
}

/* Looks for jobs and claims some. Returns the delay until the next turn. */
static int64_t
claim(struct worker *worker)
{
    size_t room = fair_queue_room(worker->queue);
    struct job_queue_looked looked;
    struct wishes wishes;
    int64_t now_ms = clock_mono_ms();
    int64_t delay_ms = IDLE_TURN_MS;
    int result;

    if (room < CLAIM_ROOM) {
        return IDLE_TURN_MS;
    }
    if (has_enough(worker, now_ms)) {
        return CLAIM_AGAIN_MS;
    }
    worker->claimed_ms = now_ms;
    wishes_init(&wishes, worker->queue, now_ms);
    result = job_queue_look(worker->jobs, wishes.strangers, wishes_found,
                            &wishes, &looked);
    log_result(worker, &worker->look_trouble, "looking for callbacks", result);
    stats_count_unreadable(worker->stats, looked.unreadable);
    if (result == 0) {
        wishes_complete(&wishes, room);
        delay_ms = claim_wishes(worker, &wishes, looked.more);
    }
    wishes_fini(&wishes);
    return delay_ms;
}

/* Tells Redis which destinations are proven, if that has changed. */
static void
tell_news(struct worker *worker)
{
    struct job_queue_proof proofs[NEWS_MAX];
    size_t count = 0;

    while (count < NEWS_MAX && (proofs[count].origin = fair_queue_news(
                                    worker->queue, &proofs[count].kept_ms,
                                    clock_mono_ms())) != NULL) {
        count++;
    }
    if (count > 0) {
        log_result(worker, &worker->prove_trouble, "noting destinations",
                   job_queue_prove(worker->jobs, proofs, count));
    }
}

/* Lets the jobs be counted anew from time to time. */
static void
recount(struct worker *worker)
{
    int64_t now_ms = clock_mono_ms();
    int result;

    if (now_ms >= worker->recount_ms &&
        redis_state(worker->redis) == REDIS_STATE_UP) {
        result = job_queue_recount(worker->jobs);
        worker->recount_ms =
            now_ms + (result == 0 ? JOB_QUEUE_RECOUNT_MS : RECOUNT_AGAIN_MS);
        log_result(worker, &worker->recount_trouble, "counting callbacks",
                   result);
    }
}

/* Ends the drain if all jobs are settled, or Redis stays away. */
static void
drain_turn(struct worker *worker)
{
    void (*drained)(void *context) = worker->drained;
    int64_t now_ms = clock_mono_ms();
    bool flushed = flush(worker) == 0;

    if (fair_queue_under_way(worker->queue) > 0 || drained == NULL) {
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
                 job_queue_unflushed(worker->jobs));
    }
    event_loop_disarm(worker->loop, &worker->deadline);
    worker->drained = NULL;
    traces_flush(worker->traces, drained, worker->drained_context);
}

/* Starts jobs, and returns those that cannot start soon. */
static void
dispatch(struct worker *worker)
{
    struct job *job;
    int64_t retry_ms;

    dispatcher_step(worker->dispatcher);
    while ((job = fair_queue_return_expired(worker->queue, &retry_ms,
                                            clock_mono_ms())) != NULL) {
        return_job(worker, job, retry_ms);
    }
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
        tell_news(worker);
        blocklist_step(worker->settings.blocks, worker->redis);
        schedule(worker, claim(worker));
    }
    dispatch(worker);
    deaths_log(&worker->deaths, clock_mono_ms());
    stats_step(worker->stats, worker->redis);
    recount(worker);
}

/* The time limit of a drain: stops the attempts under way. */
static void
on_deadline(void *context)
{
    struct worker *worker = context;

    dispatcher_abort(worker->dispatcher);
    schedule(worker, 0);
}

/* 0, or -1 (errno). */
static int
open_all(struct worker *worker)
{
    const struct options *options = worker->options;
    struct dispatcher_parts parts;

    if (settings_init(&worker->settings, options) != 0) {
        return -1;
    }
    worker->log = callback_log_open(options->callbacks.log);
    worker->jobs = job_queue_open(options, worker->redis);
    worker->queue = fair_queue_open(options, random_number());
    worker->lookups = lookups_open(
        &worker->settings.payload, worker->loop, worker->settings.resolvers,
        options->callbacks.timeout_ms, on_looked_up, worker);
    if (worker->log == NULL || worker->jobs == NULL || worker->queue == NULL ||
        worker->lookups == NULL) {
        return -1;
    }
    worker->stats = stats_open(options, worker->queue, worker->metrics);
    worker->traces = traces_open(options, worker->loop, worker->metrics);
    if (worker->stats == NULL || worker->traces == NULL) {
        return -1;
    }
    parts = (struct dispatcher_parts){
        .settings = &worker->settings,
        .queue = worker->queue,
        .lookups = worker->lookups,
        .log = worker->log,
        .traces = worker->traces,
        .loop = worker->loop,
        .stats = worker->stats,
        .metrics = worker->metrics,
    };
    worker->dispatcher = dispatcher_open(&parts, on_begin, settle, worker);
    return worker->dispatcher != NULL ? 0 : -1;
}

struct worker *
worker_open(const struct options *options, struct event_loop *loop,
            struct redis *redis, struct metrics *metrics)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    int reason;

    if (worker == NULL) {
        return NULL;
    }
    worker->options = options;
    worker->loop = loop;
    worker->redis = redis;
    worker->metrics = metrics;
    worker->turn.handler = on_turn;
    worker->turn.context = worker;
    worker->deadline.handler = on_deadline;
    worker->deadline.context = worker;
    if (open_all(worker) != 0) {
        reason = errno;
        worker_close(worker);
        errno = reason;
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
    dispatcher_close(worker->dispatcher);
    lookups_close(worker->lookups);
    stats_close(worker->stats);
    fair_queue_close(worker->queue);
    job_queue_close(worker->jobs);
    traces_close(worker->traces);
    callback_log_close(worker->log);
    settings_fini(&worker->settings);
    free(worker);
}

void
worker_wake(struct worker *worker)
{
    schedule(worker, 0);
}

void
worker_reopen(struct worker *worker)
{
    callback_log_reopen(worker->log);
    blocklist_reload(worker->settings.blocks);
}

void
worker_drain(struct worker *worker, void (*done)(void *context), void *context)
{
    struct job *job;

    worker->draining = true;
    worker->drained = done;
    worker->drained_context = context;
    while ((job = lookups_drain(worker->lookups)) != NULL ||
           (job = fair_queue_drain(worker->queue)) != NULL) {
        return_job(worker, job, 0);
    }
    event_loop_arm(worker->loop, &worker->deadline,
                   worker->options->callbacks.timeout_ms);
    schedule(worker, 0);
}

void
worker_describe(const struct worker *worker, struct json_t *object)
{
    stats_summary(worker->stats, object);
}
