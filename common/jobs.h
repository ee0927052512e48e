/*
 * The callback queue in Redis: push is the accept script's (accept-setnx.lua);
 * claim, acknowledge, retry, give back and bury are here. A job lives in the
 * list `callbacks` until it is claimed, then in the zset `due`, whose score is
 * the moment it is up again, until it is settled. All times are Redis's.
 *
 * A member of `due` is "<claim> <attempts> <json>": claim is this claim's
 * token, or "-" for a job that waits; a job is settled by the removal of those
 * exact bytes, so that a reporter whose lease ran out changes nothing.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stddef.h>
#include <stdint.h>

#include "option.h"
#include "redis.h"

struct jobs;

/* One claimed job. Belongs to who claimed it: job_free. */
struct job {
    char *member; /* its exact bytes in `due` */
    size_t member_len;
    char *id;          /* random, the same for all attempts: webhook-id */
    char *url;         /* the endpoint */
    int64_t window_s;  /* start of the window it was accepted in */
    int64_t count;     /* unique ids of that window at that moment */
    int64_t attempts;  /* made before this claim */
    int64_t leased_ms; /* monotonic: the lease ends at this moment */
};

/* How a claimed job ends. */
enum job_fate {
    JOB_DELIVERED, /* forgotten */
    JOB_RETRY,     /* again after delay_ms, with one attempt more on it */
    JOB_RETURN,    /* again after delay_ms, no attempt used */
    JOB_DEAD,      /* to the dead list, with error */
};

/* Called for each claimed job; takes it over. */
typedef void jobs_take(void *context, struct job *job);

/* options and redis are borrowed for its life. NULL: no memory. */
struct jobs *jobs_open(const struct options *options, struct redis *redis);
void jobs_close(struct jobs *jobs);

/*
 * Claims at most most jobs for options->callbacks.lease_s: first those in
 * `due` that are up, then the oldest of the list. Returns how many take was
 * called for, or -1 where Redis is away. What can't be read goes to the dead
 * list and is counted in *unreadable. Blocks for at most 2 x redis.timeout_ms.
 */
int jobs_claim(struct jobs *jobs, size_t most, jobs_take *take, void *context,
               int64_t *unreadable);

/*
 * Notes the fate of a job, takes it over and frees it. error is one word, for
 * JOB_DEAD. Nothing is sent before jobs_flush; what could not be sent then is
 * kept and sent with the next, so no fate is ever forgotten.
 */
void jobs_settle(struct jobs *jobs, struct job *job, enum job_fate fate,
                 int64_t delay_ms, const char *error);

struct jobs_flushed {
    int64_t stale;   /* settled after the lease was another's: no effect */
    int64_t dropped; /* oldest dead jobs, dropped over max_dead */
};

/* Sends the noted fates. 0, or -1 where some are still kept. */
int jobs_flush(struct jobs *jobs, struct jobs_flushed *flushed);

/* How many fates wait for jobs_flush. */
size_t jobs_unflushed(const struct jobs *jobs);

void job_free(struct job *job);

#endif
