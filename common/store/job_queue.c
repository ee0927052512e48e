/*
 * jobs: the callback queue. Each claim has a token of its own, so that no two
 * claims, of whatever reporter, ever make the same member. One whose reply was
 * lost is made again with its token: what it leased then is found by that, and
 * costs no job an attempt. Fates wait in a
 * list of the jobs themselves: noting one needs no memory.
 */
#include "job_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "jobs-claim.lua.h"
#include "jobs-settle.lua.h"
#include "schema.h"

struct job_queue {
    const struct options *options;
    struct redis *redis;
    uint64_t self;     /* random: this reporter's part of a token */
    uint64_t claims;   /* made so far: the claim's part of a token */
    int64_t unsure_ms; /* monotonic: before the last claim was first sent, to
                          which there was no reply; 0: there was one */
    struct job *first; /* settled, not flushed, oldest first */
    struct job **last; /* where the next one is hung */
    size_t settled;    /* how many these are */
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
    }
    return queue;
}

/* Frees the first n jobs of the list. */
static void
forget(struct job_queue *queue, size_t n)
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
        forget(queue, queue->settled);
        free(queue);
    }
}

static void
add_key(const struct job_queue *queue, struct command *call, const char *name)
{
    redis_key(call, "%s:" SCHEMA_SHARD ":%s", queue->options->redis.prefix,
              name);
}

static void
add_claim(struct job_queue *queue, size_t most, int64_t now_ms)
{
    struct command *call = redis_call(queue->redis, &script_jobs_claim);
    char token[48];
    int len = snprintf(token, sizeof(token), "%016" PRIx64 ".%" PRIx64,
                       queue->self, queue->claims);

    add_key(queue, call, "callbacks");
    add_key(queue, call, "due");
    redis_arg(call, token, (size_t)len);
    redis_arg_int(call, (int64_t)most);
    redis_arg_int(call, queue->options->callbacks.lease_s * 1000);
    redis_arg_int(call, queue->unsure_ms == 0 ? 0 : now_ms - queue->unsure_ms);
}

/* Makes the claim that is open, or a new one. */
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

/* One claimed job; NULL where there is no memory for it. */
static struct job *
receive(const struct redis_reply *element, int64_t leased_ms)
{
    size_t len;
    const char *member = redis_reply_text(element, &len);
    struct job *job = member == NULL ? NULL : job_read(member, len);

    if (job != NULL) {
        job->leased_ms = leased_ms;
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
    int64_t again = 0;
    size_t i;

    memset(claimed, 0, sizeof(*claimed));
    if (run_claim(queue, asked, now_ms, &reply) != REDIS_DONE) {
        return -1;
    }
    claimed->more = redis_reply_count(reply) == asked + 1;
    redis_reply_int(redis_reply_at(reply, 0), &again);
    for (i = 1; i < redis_reply_count(reply); i++) {
        struct job *job = receive(redis_reply_at(reply, i), leased_ms);

        /* Without memory for it, it comes again when its lease runs out. */
        if (job != NULL && job->url != NULL) {
            job->reclaimed = (int64_t)i <= again;
            claimed->count++;
            take(context, job);
        } else if (job != NULL) {
            claimed->unreadable++;
            job_queue_settle(queue, job, JOB_DEAD, 0, "unreadable");
        }
    }
    return 0;
}

void
job_queue_settle(struct job_queue *queue, struct job *job,
                 enum job_disposition disposition, int64_t delay_ms,
                 const char *error)
{
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

/* What becomes of a job that was not delivered: three arguments. */
static void
add_fate(struct command *call, const struct job *job)
{
    bool dead = job->disposition == JOB_DEAD;
    int64_t attempts = job->attempts + (job->disposition == JOB_RETURN ? 0 : 1);
    size_t len = 0;
    char *text = dead ? job_dead_entry(job, attempts, job->error, &len)
                      : job_waiting(job, attempts, job->error, &len);

    if (text == NULL) {
        return; /* its lease will run out, and it comes again */
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

/* The call that settles the first n jobs of the list. */
static void
add_fates(struct job_queue *queue, size_t n)
{
    struct command *call = redis_call(queue->redis, &script_jobs_settle);
    int64_t delivered = 0;
    const struct job *job;
    size_t i;

    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        delivered += job->disposition == JOB_DELIVERED;
    }
    add_key(queue, call, "due");
    add_key(queue, call, "dead");
    redis_arg_int(call, queue->options->callbacks.max_dead);
    redis_arg_int(call, delivered);
    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        if (job->disposition == JOB_DELIVERED) {
            redis_arg(call, job->member, job->member_len);
        }
    }
    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        if (job->disposition != JOB_DELIVERED) {
            add_fate(call, job);
        }
    }
}

int
job_queue_flush(struct job_queue *queue, struct job_queue_flushed *flushed)
{
    memset(flushed, 0, sizeof(*flushed));
    while (queue->settled > 0) {
        size_t n =
            queue->settled < JOB_QUEUE_BATCH ? queue->settled : JOB_QUEUE_BATCH;
        const struct redis_reply *reply;
        int64_t stale = 0;
        int64_t dropped = 0;

        add_fates(queue, n);
        if (redis_run(queue->redis, &reply) != REDIS_DONE) {
            return -1;
        }
        redis_reply_int(redis_reply_at(reply, 0), &stale);
        redis_reply_int(redis_reply_at(reply, 1), &dropped);
        flushed->stale += stale;
        flushed->dropped += dropped;
        forget(queue, n);
    }
    return 0;
}
