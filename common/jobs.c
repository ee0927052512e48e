/*
 * jobs: the callback queue. Each claim has a token of its own, so that no two
 * claims, of whatever reporter, ever make the same member. One whose reply was
 * lost is made again with its token: what it leased then is found by that, and
 * costs no job an attempt. Fates wait in a
 * list of the jobs themselves: noting one needs no memory.
 */
#include "jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jobs-claim.lua.h"
#include "jobs-settle.lua.h"
#include "schema.h"

struct jobs {
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

struct jobs *
jobs_open(const struct options *options, struct redis *redis)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));

    if (jobs != NULL) {
        jobs->options = options;
        jobs->redis = redis;
        arc4random_buf(&jobs->self, sizeof(jobs->self));
        jobs->last = &jobs->first;
    }
    return jobs;
}

/* Frees the first n jobs of the list. */
static void
forget(struct jobs *jobs, size_t n)
{
    while (n-- > 0) {
        struct job *job = jobs->first;

        jobs->first = job->next;
        jobs->settled--;
        job_free(job);
    }
    if (jobs->first == NULL) {
        jobs->last = &jobs->first;
    }
}

void
jobs_close(struct jobs *jobs)
{
    if (jobs != NULL) {
        forget(jobs, jobs->settled);
        free(jobs);
    }
}

static void
add_key(const struct jobs *jobs, struct redis_call *call, const char *name)
{
    redis_key(call, "%s:" SCHEMA_SHARD ":%s", jobs->options->redis.prefix,
              name);
}

static void
add_claim(struct jobs *jobs, size_t most, int64_t now_ms)
{
    struct redis_call *call = redis_call(jobs->redis, &script_jobs_claim);
    char token[48];
    int len = snprintf(token, sizeof(token), "%016" PRIx64 ".%" PRIx64,
                       jobs->self, jobs->claims);

    add_key(jobs, call, "callbacks");
    add_key(jobs, call, "due");
    redis_arg(call, token, (size_t)len);
    redis_arg_int(call, (int64_t)most);
    redis_arg_int(call, jobs->options->callbacks.lease_s * 1000);
    redis_arg_int(call, jobs->unsure_ms == 0 ? 0 : now_ms - jobs->unsure_ms);
}

/* Makes the claim that is open, or a new one. */
static enum redis_result
run_claim(struct jobs *jobs, size_t most, int64_t now_ms,
          const struct redis_reply **reply)
{
    enum redis_result result;

    if (jobs->unsure_ms == 0) {
        jobs->claims++;
    }
    add_claim(jobs, most, now_ms);
    result = redis_run(jobs->redis, reply);
    if (result == REDIS_LOST) {
        jobs->unsure_ms = jobs->unsure_ms == 0 ? now_ms : jobs->unsure_ms;
    } else if (result != REDIS_AWAY) {
        jobs->unsure_ms = 0;
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
jobs_claim(struct jobs *jobs, size_t most, jobs_take *take, void *context,
           struct jobs_claimed *claimed)
{
    size_t asked = most < JOBS_BATCH ? most : JOBS_BATCH;
    int64_t now_ms = clock_mono_ms();
    int64_t leased_ms = now_ms + jobs->options->callbacks.lease_s * 1000;
    const struct redis_reply *reply;
    int64_t again = 0;
    size_t i;

    memset(claimed, 0, sizeof(*claimed));
    if (run_claim(jobs, asked, now_ms, &reply) != REDIS_DONE) {
        return -1;
    }
    claimed->more = redis_reply_count(reply) == asked + 1;
    redis_reply_int(redis_reply_at(reply, 0), &again);
    for (i = 1; i < redis_reply_count(reply); i++) {
        struct job *job = receive(redis_reply_at(reply, i), leased_ms);

        /* Without memory for it, it comes again when its lease runs out. */
        if (job != NULL && job->url != NULL) {
            job->again = (int64_t)i <= again;
            claimed->count++;
            take(context, job);
        } else if (job != NULL) {
            claimed->unreadable++;
            jobs_settle(jobs, job, JOB_DEAD, 0, "unreadable");
        }
    }
    return 0;
}

void
jobs_settle(struct jobs *jobs, struct job *job, enum job_fate fate,
            int64_t delay_ms, const char *error)
{
    job->fate = fate;
    job->delay_ms = delay_ms;
    snprintf(job->error, sizeof(job->error), "%s", error);
    job->next = NULL;
    *jobs->last = job;
    jobs->last = &job->next;
    jobs->settled++;
}

size_t
jobs_unflushed(const struct jobs *jobs)
{
    return jobs->settled;
}

/* What becomes of a job that was not delivered: three arguments. */
static void
add_fate(struct redis_call *call, const struct job *job)
{
    bool dead = job->fate == JOB_DEAD;
    bool used = job->fate != JOB_RETURN;
    int64_t attempts = job->attempts + (used ? 1 : 0);
    size_t len = 0;
    char *text = dead
                     ? job_epitaph(job, attempts, job->error, &len)
                     : job_waiting(job, attempts, used ? job->error : "", &len);

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
add_fates(struct jobs *jobs, size_t n)
{
    struct redis_call *call = redis_call(jobs->redis, &script_jobs_settle);
    int64_t delivered = 0;
    const struct job *job;
    size_t i;

    for (i = 0, job = jobs->first; i < n; i++, job = job->next) {
        delivered += job->fate == JOB_DELIVERED;
    }
    add_key(jobs, call, "due");
    add_key(jobs, call, "dead");
    redis_arg_int(call, jobs->options->callbacks.max_dead);
    redis_arg_int(call, delivered);
    for (i = 0, job = jobs->first; i < n; i++, job = job->next) {
        if (job->fate == JOB_DELIVERED) {
            redis_arg(call, job->member, job->member_len);
        }
    }
    for (i = 0, job = jobs->first; i < n; i++, job = job->next) {
        if (job->fate != JOB_DELIVERED) {
            add_fate(call, job);
        }
    }
}

int
jobs_flush(struct jobs *jobs, struct jobs_flushed *flushed)
{
    memset(flushed, 0, sizeof(*flushed));
    while (jobs->settled > 0) {
        size_t n = jobs->settled < JOBS_BATCH ? jobs->settled : JOBS_BATCH;
        const struct redis_reply *reply;
        int64_t stale = 0;
        int64_t dropped = 0;

        add_fates(jobs, n);
        if (redis_run(jobs->redis, &reply) != REDIS_DONE) {
            return -1;
        }
        redis_reply_int(redis_reply_at(reply, 0), &stale);
        redis_reply_int(redis_reply_at(reply, 1), &dropped);
        flushed->stale += stale;
        flushed->dropped += dropped;
        forget(jobs, n);
    }
    return 0;
}
