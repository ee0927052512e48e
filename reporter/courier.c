/*
 * courier: turns and transfers. A turn sends the fates that have gathered to
 * Redis, then claims as many jobs as there is room for and starts them; it is
 * the only place that waits for Redis. Transfers end in between, and note the
 * fate of their job. So there is a turn for many jobs under load, and one soon
 * after each job when there is little to do.
 */
#include "courier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "attempts.h"
#include "callback_log.h"
#include "clock.h"
#include "jobs.h"
#include "log.h"
#include "logfile.h"
#include "message.h"
#include "outcome.h"
#include "transfers.h"
#include "trouble.h"

enum {
    IDLE_TURN_MS = 50,      /* a new job is found within this */
    BUSY_TURN_MS = 5,       /* a fate waits for no longer than this */
    DRAIN_TURN_MS = 20,     /* tries to flush while draining */
    LEASE_MARGIN_MS = 1000, /* kept between an attempt's limit and its lease */
    RETURN_DELAY_MS = 1000, /* for a job that could not be started */
    SAY_AGAIN_MS = 60000,
    FULL_HOUSE = 128, /* fates that are worth a turn at once */
};

struct courier {
    const struct options *options;
    struct loop *loop;
    struct redis *redis;
    struct jobs *jobs;
    struct transfers *transfers;
    struct logfile *log;
    struct message message;
    struct attempts *attempts;
    struct loop_timer turn;
    struct loop_timer deadline; /* of a drain */
    bool draining;
    int64_t give_up_ms; /* monotonic: a drain waits so long for Redis; 0: no */
    void (*drained)(void *context); /* NULL: not wanted, or called */
    void *drained_context;
    struct trouble log_trouble;
    struct trouble redis_trouble;
    struct trouble start_trouble;
    struct jobs_flushed flushed; /* not yet said */
    size_t unreadable;           /* not yet said */
    int64_t say_again_ms;        /* monotonic: when these may be said */
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
settle(struct courier *courier, struct job *job, const struct outcome *outcome)
{
    int64_t quarter = courier->options->callbacks.concurrency / 4;
    size_t enough = quarter < FULL_HOUSE ? (size_t)quarter : FULL_HOUSE;

    jobs_settle(courier->jobs, job, outcome->fate, outcome->delay_ms,
                outcome->reason);
    hurry(courier, jobs_unflushed(courier->jobs) >= enough ? 0 : BUSY_TURN_MS);
}

/* Back to the queue without an attempt used. */
static void
give_back(struct courier *courier, struct job *job, int64_t delay_ms)
{
    struct outcome outcome = {.fate = JOB_RETURN, .delay_ms = delay_ms};

    settle(courier, job, &outcome);
}

static void
write_line(struct courier *courier, const struct callback_line *line)
{
    if (callback_log_write(courier->log, line) == 0) {
        trouble_over(&courier->log_trouble, courier->options->callbacks.log);
    } else {
        trouble_note(&courier->log_trouble, courier->options->callbacks.log,
                     strerror(errno));
    }
}

static void
write_attempt(struct courier *courier, const struct attempt *attempt,
              long status, const char *error)
{
    struct callback_line line = {
        .job = attempt_job(attempt),
        .host = attempt_host(attempt),
        .status = status,
        .error = error,
        .duration_ms = attempt_duration_ms(attempt),
    };

    write_line(courier, &line);
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct courier *courier = context;
    struct attempt *attempt = attempt_of(easy);
    struct outcome_facts facts = attempt_facts(attempt, code);
    struct outcome outcome =
        outcome_judge(&courier->options->callbacks.retry_delays_s, &facts);

    write_attempt(courier, attempt, outcome.status, outcome.error);
    settle(courier, attempts_give(courier->attempts, attempt), &outcome);
}

static void
start(struct courier *courier, struct job *job)
{
    struct attempt *attempt = attempts_take(courier->attempts);

    if (attempt != NULL && attempt_prepare(attempt, job) == 0 &&
        transfers_start(courier->transfers, attempt_easy(attempt)) == 0) {
        trouble_over(&courier->start_trouble, "callbacks");
        return;
    }
    if (attempt != NULL) {
        attempts_give(courier->attempts, attempt);
    }
    trouble_note(&courier->start_trouble, "callbacks", "no memory to start");
    give_back(courier, job, RETURN_DELAY_MS);
}

/* Buries a job that ended the reporter's life once too often. */
static void
abandon(struct courier *courier, struct job *job)
{
    struct outcome outcome = {.fate = JOB_DEAD, .reason = "abandoned"};
    struct callback_line line = {
        .job = job, .host = "-", .error = outcome.reason};

    write_line(courier, &line);
    settle(courier, job, &outcome);
}

/* A claimed job: starts it, unless it is too late or of no use. */
static void
on_job(void *context, struct job *job)
{
    struct courier *courier = context;
    int64_t needed_ms =
        courier->options->callbacks.timeout_ms + LEASE_MARGIN_MS;

    if (outcome_is_hopeless(&courier->options->callbacks.retry_delays_s,
                            job->attempts)) {
        abandon(courier, job);
    } else if (job->leased_ms - clock_mono_ms() < needed_ms) {
        give_back(courier, job, RETURN_DELAY_MS);
    } else {
        start(courier, job);
    }
}

/* Says, at most once a minute, what happened to jobs but delivery. */
static void
say_losses(struct courier *courier)
{
    const struct jobs_flushed *flushed = &courier->flushed;
    bool any =
        flushed->stale > 0 || flushed->dropped > 0 || courier->unreadable > 0;

    if (!any || clock_mono_ms() < courier->say_again_ms) {
        return;
    }
    log_warn("callbacks: %" PRId64 " settled after their lease had run out, "
             "%zu unreadable ones moved to the dead list, %" PRId64
             " oldest dropped from the dead list",
             flushed->stale, courier->unreadable, flushed->dropped);
    memset(&courier->flushed, 0, sizeof(courier->flushed));
    courier->unreadable = 0;
    courier->say_again_ms = clock_mono_ms() + SAY_AGAIN_MS;
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

    courier->flushed.stale += flushed.stale;
    courier->flushed.dropped += flushed.dropped;
    heed(courier, result);
    return result;
}

/* Claims what there is room for. Returns when to look again. */
static int64_t
claim(struct courier *courier)
{
    size_t room = attempts_room(courier->attempts);
    struct jobs_claimed claimed;
    int result;

    if (room == 0) {
        return IDLE_TURN_MS;
    }
    result = jobs_claim(courier->jobs, room, on_job, courier, &claimed);
    heed(courier, result);
    if (result != 0) {
        return IDLE_TURN_MS;
    }
    courier->unreadable += claimed.unreadable;
    if (claimed.more) {
        return 0;
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

    if (attempts_busy(courier->attempts) > 0 || drained == NULL) {
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
    say_losses(courier);
}

/* The time to drain is over: what is still under way goes back. */
static void
on_deadline(void *context)
{
    struct courier *courier = context;
    struct attempt *attempt;

    while ((attempt = attempts_any(courier->attempts)) != NULL) {
        transfers_stop(courier->transfers, attempt_easy(attempt));
        write_attempt(courier, attempt, 0, "shutdown");
        give_back(courier, attempts_give(courier->attempts, attempt), 0);
    }
    hurry(courier, 0);
}

static bool
set_up(struct courier *courier, const struct options *options)
{
    courier->turn.handler = on_turn;
    courier->turn.context = courier;
    courier->deadline.handler = on_deadline;
    courier->deadline.context = courier;
    if (message_init(&courier->message, options) != 0) {
        return false;
    }
    courier->log = logfile_open(options->callbacks.log);
    courier->attempts = attempts_open(options, &courier->message);
    courier->jobs = jobs_open(options, courier->redis);
    courier->transfers = transfers_open(
        courier->loop, (long)options->callbacks.concurrency, on_ended, courier);
    return courier->log != NULL && courier->attempts != NULL &&
           courier->jobs != NULL && courier->transfers != NULL;
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
    if (!set_up(courier, options)) {
        courier_close(courier);
        return NULL;
    }
    hurry(courier, 0);
    return courier;
}

/* Drops what is under way: its leases will run out. */
static void
drop_all(struct courier *courier)
{
    struct attempt *attempt;

    while ((attempt = attempts_any(courier->attempts)) != NULL) {
        transfers_stop(courier->transfers, attempt_easy(attempt));
        job_free(attempts_give(courier->attempts, attempt));
    }
}

void
courier_close(struct courier *courier)
{
    if (courier == NULL) {
        return;
    }
    if (courier->attempts != NULL) {
        drop_all(courier);
    }
    loop_disarm(courier->loop, &courier->turn);
    loop_disarm(courier->loop, &courier->deadline);
    attempts_close(courier->attempts);
    transfers_close(courier->transfers);
    jobs_close(courier->jobs);
    message_fini(&courier->message);
    logfile_close(courier->log);
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
    logfile_reopen(courier->log);
}

void
courier_drain(struct courier *courier, void (*done)(void *context),
              void *context)
{
    courier->draining = true;
    courier->drained = done;
    courier->drained_context = context;
    loop_arm(courier->loop, &courier->deadline,
             courier->options->callbacks.timeout_ms);
    hurry(courier, 0);
}
