/*
 * job_queue: claims and settlements. Each claim has its own token, so that two
 * claims never make the same member. If the reply to a claim was lost, the
 * claim is made again with the same token: Redis finds the jobs that it leased
 * by the token, and no job loses an attempt. Settled jobs wait in a list that
 * links the jobs themselves, so that settling needs no memory.
 */
#include "job_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "jobs-begin.lua.h"
#include "jobs-claim.lua.h"
#include "jobs-settle.lua.h"
#include "keys.h"

/* Of a token: see job_queue.h. */
enum { MARK_CLAIMED = '.', MARK_DOUBTFUL = '~', MARK_BEGUN = '!' };

TAILQ_HEAD(begun, job);

struct job_queue {
    const struct options *options;
    struct redis *redis;
    uint64_t self;      /* random: this reporter's part of a token */
    uint64_t claims;    /* made so far: the claim's part of a token */
    int64_t unsure_ms;  /* monotonic: if the reply to the last claim was lost,
                           the time before it was first sent; else 0 */
    struct job *first;  /* settled, not flushed, oldest first */
    struct job **last;  /* the link that the next settled job is put into */
    size_t settled;     /* length of that list */
    struct begun begun; /* attempts under way, without a mark in Redis */
    /* Those of them that are marked now. If the reply was lost, they may be
       marked or not, and are marked again before anything else. */
    struct job *marking[JOB_QUEUE_BATCH];
    size_t marking_count;
};

struct job_queue *
job_queue_open(const struct options *options, struct redis *redis)
{
    struct job_queue *queue = calloc(1, sizeof(*queue));

    if (queue != NULL) {
        queue->options = options;
        queue->redis = redis;
        arc4random_buf(&queue->self, sizeof(queue->self));
        queue->last = &queue->first;
        TAILQ_INIT(&queue->begun);
    }
    return queue;
}

/* Frees the first n settled jobs. */
static void
free_settled(struct job_queue *queue, size_t n)
{
    while (n-- > 0) {
        struct job *job = queue->first;

        queue->first = job->next;
        queue->settled--;
        job_free(job);
    }
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
}

void
job_queue_close(struct job_queue *queue)
{
    if (queue != NULL) {
        free_settled(queue, queue->settled);
        free(queue);
    }
}

static void
add_claim(struct job_queue *queue, size_t most, int64_t now_ms)
{
    struct command *call = redis_call(queue->redis, &script_jobs_claim);
    struct key_parts parts = {.prefix = queue->options->redis.prefix};
    char token[48];
    int len = snprintf(token, sizeof(token), "%016" PRIx64 ".%" PRIx64,
                       queue->self, queue->claims);

    keys_add(call, KEY_CALLBACKS, &parts);
    keys_add(call, KEY_DUE, &parts);
    redis_arg(call, token, (size_t)len);
    redis_arg_int(call, (int64_t)most);
    redis_arg_int(call, queue->options->callbacks.lease_s * 1000);
    redis_arg_int(call, queue->unsure_ms == 0 ? 0 : now_ms - queue->unsure_ms);
}

/* Makes a new claim, or makes the last one again if its reply was lost. */
static enum redis_result
run_claim(struct job_queue *queue, size_t most, int64_t now_ms,
          const struct redis_reply **reply)
{
    enum redis_result result;

    if (queue->unsure_ms == 0) {
        queue->claims++;
    }
    add_claim(queue, most, now_ms);
    result = redis_run(queue->redis, reply);
    if (result == REDIS_LOST) {
        queue->unsure_ms = queue->unsure_ms == 0 ? now_ms : queue->unsure_ms;
    } else if (result != REDIS_AWAY) {
        queue->unsure_ms = 0;
    }
    return result;
}

/* The first elements of the reply to a claim: see jobs-claim.lua. */
enum { RECLAIMED, NOW, FIRST_JOB };

/*
 * How far Redis's clock is ahead of the monotonic clock of this process. The
 * reply has just arrived: so by this, Redis's clock is late rather than early,
 * and a callback is never from the future.
 */
static int64_t
read_clock(const struct redis_reply *reply)
{
    int64_t redis_ms = 0;

    redis_reply_int(redis_reply_at(reply, NOW), &redis_ms);
    return redis_ms - clock_mono_ms();
}

/* Reads one claimed job; NULL if there is no memory for it. */
static struct job *
read_job(const struct redis_reply *element, int64_t leased_ms, int64_t clock_ms)
{
    size_t len;
    const char *member = redis_reply_text(element, &len);
    struct job *job = member == NULL ? NULL : job_read(member, len);

    if (job != NULL) {
        job->leased_ms = leased_ms;
        job->clock_ms = clock_ms;
    }
    return job;
}

int
job_queue_claim(struct job_queue *queue, size_t most, job_queue_take *take,
                void *context, struct job_queue_claimed *claimed)
{
    size_t asked = most < JOB_QUEUE_BATCH ? most : JOB_QUEUE_BATCH;
    int64_t now_ms = clock_mono_ms();
    int64_t leased_ms = now_ms + queue->options->callbacks.lease_s * 1000;
    const struct redis_reply *reply;
    int64_t reclaimed = 0;
    int64_t clock_ms;
    size_t i;

    memset(claimed, 0, sizeof(*claimed));
    if (run_claim(queue, asked, now_ms, &reply) != REDIS_DONE) {
        return -1;
    }
    clock_ms = read_clock(reply);
    claimed->more = redis_reply_count(reply) == asked + FIRST_JOB;
    redis_reply_int(redis_reply_at(reply, RECLAIMED), &reclaimed);
    for (i = FIRST_JOB; i < redis_reply_count(reply); i++) {
        struct job *job =
            read_job(redis_reply_at(reply, i), leased_ms, clock_ms);

        /* No memory: the job is due again when its lease has run out. */
        if (job != NULL && job->url != NULL) {
            job->reclaimed = (int64_t)i - FIRST_JOB < reclaimed;
            claimed->count++;
            take(context, job);
        } else if (job != NULL) {
            claimed->unreadable++;
            job_queue_settle(queue, job, JOB_DEAD, 0, "unreadable");
        }
    }
    return 0;
}

/* The mark in the job's token; NULL if the token is not of this module. */
static char *
mark_of(const struct job *job)
{
    char *mark = job->member + strspn(job->member, "0123456789abcdef");

    return *mark == MARK_CLAIMED || *mark == MARK_DOUBTFUL ? mark : NULL;
}

static void
leave_begun(struct job_queue *queue, struct job *job)
{
    if (job->in_begun) {
        TAILQ_REMOVE(&queue->begun, job, begun);
        job->in_begun = false;
    }
}

/* Marks the jobs in `marking`. 0, or -1. */
static int
run_marking(struct job_queue *queue)
{
    struct key_parts parts = {.prefix = queue->options->redis.prefix};
    const struct redis_reply *reply;
    struct command *call;

    if (queue->marking_count == 0) {
        return 0;
    }
    call = redis_call(queue->redis, &script_jobs_begin);
    keys_add(call, KEY_DUE, &parts);
    for (size_t i = 0; i < queue->marking_count; i++) {
        redis_arg(call, queue->marking[i]->member,
                  queue->marking[i]->member_len);
    }
    if (redis_run(queue->redis, &reply) != REDIS_DONE) {
        return -1;
    }
    for (size_t i = 0; i < queue->marking_count; i++) {
        *mark_of(queue->marking[i]) = MARK_BEGUN;
    }
    queue->marking_count = 0;
    return 0;
}

/* Marks the jobs whose attempts have begun before. 0, or -1. */
static int
mark_begun(struct job_queue *queue, int64_t before_ms)
{
    struct job *job;

    if (run_marking(queue) != 0) {
        return -1;
    }
    while ((job = TAILQ_FIRST(&queue->begun)) != NULL &&
           job->begun_ms <= before_ms) {
        leave_begun(queue, job);
        queue->marking[queue->marking_count++] = job;
        if (queue->marking_count == JOB_QUEUE_BATCH &&
            run_marking(queue) != 0) {
            return -1;
        }
    }
    return run_marking(queue);
}

int
job_queue_begin(struct job_queue *queue, struct job *job)
{
    const char *mark_now = mark_of(job);

    if (job->begun_ms != 0 || mark_now == NULL) {
        return 0;
    }
    job->begun_ms = clock_mono_ms();
    job->in_begun = true;
    TAILQ_INSERT_TAIL(&queue->begun, job, begun);
    return *mark_now == MARK_DOUBTFUL ? mark_begun(queue, job->begun_ms) : 0;
}

int
job_queue_mark(struct job_queue *queue)
{
    return mark_begun(queue, clock_mono_ms() - JOB_QUEUE_MARK_MS);
}

void
job_queue_settle(struct job_queue *queue, struct job *job,
                 enum job_disposition disposition, int64_t delay_ms,
                 const char *error)
{
    leave_begun(queue, job);
    job->disposition = disposition;
    job->delay_ms = delay_ms;
    job->returned += disposition == JOB_RETURN && error[0] != '\0';
    snprintf(job->error, sizeof(job->error), "%s", error);
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
    queue->settled++;
}

size_t
job_queue_unflushed(const struct job_queue *queue)
{
    return queue->settled;
}

/* The three arguments that settle a job that was not delivered. */
static void
add_settlement(struct command *call, const struct job *job)
{
    bool dead = job->disposition == JOB_DEAD;
    int64_t attempts = job->attempts + (job->disposition == JOB_RETURN ? 0 : 1);
    size_t len = 0;
    char *text = dead ? job_dead_entry(job, attempts, job->error, &len)
                      : job_waiting(job, attempts, job->error, &len);

    if (text == NULL) {
        return; /* no memory: due again when its lease has run out */
    }
    redis_arg(call, job->member, job->member_len);
    if (dead) {
        redis_arg(call, "dead", strlen("dead"));
    } else {
        redis_arg_int(call, job->delay_ms);
    }
    redis_arg(call, text, len);
    free(text);
}

/* True if nothing is left of the job. */
static bool
is_deleted(const struct job *job)
{
    return job->disposition == JOB_DELIVERED || job->disposition == JOB_DROPPED;
}

/* Starts the call that settles the first n settled jobs. */
static void
add_settlements(struct job_queue *queue, size_t n)
{
    struct command *call = redis_call(queue->redis, &script_jobs_settle);
    struct key_parts parts = {.prefix = queue->options->redis.prefix};
    int64_t deleted = 0;
    const struct job *job;
    size_t i;

    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        deleted += is_deleted(job);
    }
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_DEAD, &parts);
    redis_arg_int(call, queue->options->callbacks.max_dead);
    redis_arg_int(call, deleted);
    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        if (is_deleted(job)) {
            redis_arg(call, job->member, job->member_len);
        }
    }
    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        if (!is_deleted(job)) {
            add_settlement(call, job);
        }
    }
}

int
job_queue_flush(struct job_queue *queue, struct job_queue_flushed *flushed)
{
    memset(flushed, 0, sizeof(*flushed));
    if (run_marking(queue) != 0) {
        return -1;
    }
    while (queue->settled > 0) {
        size_t n =
            queue->settled < JOB_QUEUE_BATCH ? queue->settled : JOB_QUEUE_BATCH;
        const struct redis_reply *reply;
        int64_t stale = 0;
        int64_t dropped = 0;

        add_settlements(queue, n);
        if (redis_run(queue->redis, &reply) != REDIS_DONE) {
            return -1;
        }
        redis_reply_int(redis_reply_at(reply, 0), &stale);
        redis_reply_int(redis_reply_at(reply, 1), &dropped);
        flushed->stale += stale;
        flushed->dropped += dropped;
        free_settled(queue, n);
    }
    return 0;
}
