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
#include "base/util.h"
#include "jobs-begin.lua.h"
#include "jobs-claim.lua.h"
#include "jobs-look.lua.h"
#include "jobs-prove.lua.h"
#include "jobs-recount.lua.h"
#include "jobs-settle.lua.h"
#include "jobs-sort.lua.h"
#include "keys.h"
#include "origin.h"

/* The head of a job in `due` that nobody has claimed or tried. */
#define NEW_JOB "- 0 "

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
        queue->self = random_number();
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

/* Adds the list of the destination. 0, or -1: no memory. */
static int
add_list(struct job_queue *queue, struct command *call, const char *origin)
{
    char hash[ORIGIN_HASH_SIZE];
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag,
                              .hash = hash};

    if (origin_hash(origin, hash) != 0) {
        return -1;
    }
    keys_add(call, KEY_CALLBACKS_OF, &parts);
    return 0;
}

/* Jobs that are about to be moved. */
struct sorting {
    struct job *jobs[2 * JOB_QUEUE_BATCH]; /* those of `due` first */
    size_t due;                            /* how many are of `due` */
    size_t count;
};

/*
 * Reads a job that a look found in `due`, or in the list `callbacks`: then the
 * text is its JSON, and head is its head in `due`. NULL: no memory.
 */
static struct job *
read_found(const struct redis_reply *element, const char *head)
{
    size_t head_len = strlen(head);
    size_t len;
    const char *text = redis_reply_text(element, &len);
    char *member = text == NULL ? NULL : malloc(head_len + len);
    struct job *job;

    if (member == NULL) {
        return NULL;
    }
    memcpy(member, head, head_len);
    memcpy(member + head_len, text, len);
    job = job_read(member, head_len + len);
    free(member);
    return job;
}

/* Reads the jobs that a look found. Those without memory are found again. */
static void
read_sorting(struct job_queue *queue, const struct redis_reply *reply,
             struct sorting *sorting, struct job_queue_looked *looked)
{
    const struct redis_reply *due = redis_reply_at(reply, 0);
    const struct redis_reply *listed = redis_reply_at(reply, 1);

    for (size_t i = 0; i < redis_reply_count(due); i++) {
        struct job *job = read_found(redis_reply_at(due, i), "");

        if (job != NULL && job->url == NULL) {
            looked->unreadable++;
            job_queue_settle(queue, job, JOB_DEAD, 0, "unreadable");
        } else if (job != NULL) {
            sorting->jobs[sorting->count++] = job;
        }
    }
    sorting->due = sorting->count;
    for (size_t i = 0; i < redis_reply_count(listed); i++) {
        struct job *job = read_found(redis_reply_at(listed, i), NEW_JOB);

        if (job == NULL) {
            return; /* the script takes them from the head of the list only */
        }
        sorting->jobs[sorting->count++] = job;
    }
}

/* Adds the keys and arguments of jobs-sort.lua. 0, or -1: no memory. */
static int
add_sorting(struct job_queue *queue, const struct sorting *sorting)
{
    struct command *call = redis_call(queue->redis, &script_jobs_sort);
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
    char origin[ORIGIN_SIZE];

    keys_add(call, KEY_CALLBACKS, &parts);
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_QUEUE, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    keys_add(call, KEY_PROVEN, &parts);
    for (size_t i = 0; i < sorting->count; i++) {
        const char *url = sorting->jobs[i]->url;

        origin_read(url == NULL ? "" : url, url == NULL ? 0 : strlen(url),
                    origin);
        if (add_list(queue, call, origin) != 0) {
            return -1;
        }
    }
    redis_arg_int(call, (int64_t)sorting->due);
    for (size_t i = 0; i < sorting->count; i++) {
        const struct job *job = sorting->jobs[i];
        size_t head_len = i < sorting->due ? 0 : strlen(NEW_JOB);

        redis_arg(call, job->member + head_len, job->member_len - head_len);
        if (job->url == NULL) {
            redis_arg(call, "", 0);
        } else {
            origin_read(job->url, strlen(job->url), origin);
            redis_arg(call, origin, strlen(origin));
        }
    }
    return 0;
}

/* Moves the jobs to the lists of their destinations, and frees them. */
static int
sort_jobs(struct job_queue *queue, struct sorting *sorting)
{
    const struct redis_reply *reply;
    int result = 0;

    if (sorting->count > 0 && (add_sorting(queue, sorting) != 0 ||
                               redis_run(queue->redis, &reply) != REDIS_DONE)) {
        result = -1;
    }
    while (sorting->count > 0) {
        job_free(sorting->jobs[--sorting->count]);
    }
    return result;
}

/* Calls found for each of the destinations. Returns their number. */
static size_t
tell_found(const struct redis_reply *destinations, bool proven,
           job_queue_found *found, void *context)
{
    size_t count = redis_reply_count(destinations);

    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *origin =
            redis_reply_text(redis_reply_at(destinations, i), &len);

        if (origin != NULL) {
            found(context, origin, proven);
        }
    }
    return count;
}

int
job_queue_look(struct job_queue *queue, size_t strangers,
               job_queue_found *found, void *context,
               struct job_queue_looked *looked)
{
    struct command *call = redis_call(queue->redis, &script_jobs_look);
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
    struct sorting sorting = {.count = 0};
    size_t most_strangers = size_min(strangers, JOB_QUEUE_FOUND_MAX);
    const struct redis_reply *reply;

    memset(looked, 0, sizeof(*looked));
    if (queue->unsure_ms != 0) {
        looked->more = true;
        return 0;
    }
    keys_add(call, KEY_CALLBACKS, &parts);
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    redis_arg_int(call, JOB_QUEUE_BATCH);
    redis_arg_int(call, JOB_QUEUE_FOUND_MAX);
    redis_arg_int(call, (int64_t)most_strangers);
    if (redis_run(queue->redis, &reply) != REDIS_DONE) {
        return -1;
    }
    looked->more = tell_found(redis_reply_at(reply, 2), true, found, context) ==
                   JOB_QUEUE_FOUND_MAX;
    if (tell_found(redis_reply_at(reply, 3), false, found, context) ==
        JOB_QUEUE_FOUND_MAX) {
        looked->more = true;
    }
    read_sorting(queue, reply, &sorting, looked);
    looked->more = looked->more || sorting.count > 0;
    return sort_jobs(queue, &sorting);
}

/* Adds the keys and arguments of jobs-claim.lua. 0, or -1: no memory. */
static int
add_claim(struct job_queue *queue, const struct job_queue_wish *wishes,
          size_t count, int64_t now_ms)
{
    struct command *call = redis_call(queue->redis, &script_jobs_claim);
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
    char token[48];
    int len = snprintf(token, sizeof(token), "%016" PRIx64 ".%" PRIx64,
                       queue->self, queue->claims);

    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    keys_add(call, KEY_PROVEN, &parts);
    for (size_t i = 0; i < count; i++) {
        if (add_list(queue, call, wishes[i].origin) != 0) {
            return -1;
        }
    }
    redis_arg(call, token, (size_t)len);
    redis_arg_int(call, queue->options->callbacks.lease_s * 1000);
    redis_arg_int(call, queue->unsure_ms == 0 ? 0 : now_ms - queue->unsure_ms);
    for (size_t i = 0; i < count; i++) {
        redis_arg(call, wishes[i].origin, strlen(wishes[i].origin));
        redis_arg_int(call, (int64_t)wishes[i].most);
        redis_arg_int(call, wishes[i].wait_ms);
    }
    return 0;
}

/* Makes a new claim, or makes the last one again if its reply was lost. */
static enum redis_result
run_claim(struct job_queue *queue, const struct job_queue_wish *wishes,
          size_t count, int64_t now_ms, const struct redis_reply **reply)
{
    enum redis_result result;

    if (queue->unsure_ms == 0) {
        queue->claims++;
    }
    if (add_claim(queue, wishes, count, now_ms) != 0) {
        return REDIS_AWAY;
    }
    result = redis_run(queue->redis, reply);
    if (result == REDIS_LOST) {
        queue->unsure_ms = queue->unsure_ms == 0 ? now_ms : queue->unsure_ms;
    } else if (result != REDIS_AWAY) {
        queue->unsure_ms = 0;
    }
    return result;
}

/* The elements of the reply to a claim: see jobs-claim.lua. */
enum { MEMBERS, LEFT, NOW };

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
job_queue_claim(struct job_queue *queue, struct job_queue_wish *wishes,
                size_t count, job_queue_take *take, void *context,
                struct job_queue_claimed *claimed)
{
    int64_t now_ms = clock_mono_ms();
    int64_t leased_ms = now_ms + queue->options->callbacks.lease_s * 1000;
    const struct redis_reply *reply;
    const struct redis_reply *members;
    int64_t clock_ms;

    memset(claimed, 0, sizeof(*claimed));
    if (count == 0 && queue->unsure_ms == 0) {
        return 0;
    }
    if (run_claim(queue, wishes, count, now_ms, &reply) != REDIS_DONE) {
        return -1;
    }
    members = redis_reply_at(reply, MEMBERS);
    clock_ms = read_clock(reply);
    for (size_t i = 0; i < count; i++) {
        int64_t left = -1; /* the claim was made again: not known */

        redis_reply_int(redis_reply_at(redis_reply_at(reply, LEFT), i), &left);
        wishes[i].left = (size_t)left;
    }
    for (size_t i = 0; i < redis_reply_count(members); i++) {
        struct job *job =
            read_job(redis_reply_at(members, i), leased_ms, clock_ms);

        /* No memory: the job is due again when its lease has run out. */
        if (job != NULL && job->url != NULL) {
            claimed->count++;
            take(context, job);
        } else if (job != NULL) {
            claimed->unreadable++;
            job_queue_settle(queue, job, JOB_DEAD, 0, "unreadable");
        }
    }
    return 0;
}

int
job_queue_prove(struct job_queue *queue, const struct job_queue_proof *proofs,
                size_t count)
{
    struct command *call = redis_call(queue->redis, &script_jobs_prove);
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
    const struct redis_reply *reply;

    keys_add(call, KEY_PROVEN, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    redis_arg_int(call, JOB_QUEUE_PROVEN_MAX);
    redis_arg_int(call, JOB_QUEUE_KEPT_MAX_MS);
    for (size_t i = 0; i < count; i++) {
        redis_arg(call, proofs[i].origin, strlen(proofs[i].origin));
        redis_arg_int(call, proofs[i].kept_ms);
    }
    return redis_run(queue->redis, &reply) == REDIS_DONE ? 0 : -1;
}

int
job_queue_recount(struct job_queue *queue)
{
    /* About 20 ms of Redis. */
    enum { MAX_DESTINATIONS = 20000 };
    struct command *call = redis_call(queue->redis, &script_jobs_recount);
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag,
                              .hash = ""};
    struct key_stem stem = keys_stem(KEY_CALLBACKS_OF, &parts);
    const struct redis_reply *reply;

    keys_add(call, KEY_QUEUE, &parts);
    keys_add(call, KEY_DESTINATIONS, &parts);
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_STRANGERS, &parts);
    redis_arg(call, stem.text, stem.len);
    redis_arg_int(call, JOB_QUEUE_RECOUNT_MS);
    redis_arg_int(call, MAX_DESTINATIONS);
    return redis_run(queue->redis, &reply) == REDIS_DONE ? 0 : -1;
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
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
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
    struct key_parts parts = {.prefix = queue->options->redis.prefix,
                              .tag = queue->options->redis.tag};
    int64_t deleted = 0;
    const struct job *job;
    size_t i;

    for (i = 0, job = queue->first; i < n; i++, job = job->next) {
        deleted += is_deleted(job);
    }
    keys_add(call, KEY_DUE, &parts);
    keys_add(call, KEY_DEAD, &parts);
    keys_add(call, KEY_QUEUE, &parts);
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
