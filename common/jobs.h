/*
 * The callback queue in Redis: push is the accept script's (accept-setnx.lua);
 * claim, acknowledge, retry, give back and bury are here. A job lives in the
 * list `callbacks` until it is claimed, then in the zset `due`, whose score is
 * the moment it is up again, until it is settled. All times are Redis's.
 *
 * A member of `due` is "<claim> <attempts> <json>": claim is this claim's
 * token, or "-" for a job that waits; a job is settled by the removal of those
 * exact bytes, so that a reporter whose lease ran out changes nothing. A job
 * whose lease ran out is claimed again with one attempt more on it: whoever
 * held it may have made one. A claim that got no reply made none, and is made
 * again as it was.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.h"
#include "option.h"
#include "redis.h"

struct jobs;

/* The most jobs that one script claims or settles: about 2 ms of Redis. */
enum { JOBS_BATCH = 256 };

/* Called for each claimed job; takes it over. It must not use Redis. */
typedef void jobs_take(void *context, struct job *job);

struct jobs_claimed {
    size_t count;      /* how many take was called for */
    size_t unreadable; /* how many went to the dead list instead */
    bool more;         /* the batch was full: more may be waiting */
};

struct jobs_flushed {
    int64_t stale;   /* settled after the lease was another's: no effect */
    int64_t dropped; /* oldest dead jobs, dropped over max_dead */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct jobs *jobs_open(const struct options *options, struct redis *redis);

/* What was not flushed is forgotten here: its leases will run out. */
void jobs_close(struct jobs *jobs);

/*
 * Claims at most most jobs, and at most JOBS_BATCH, for callbacks.lease_s: of
 * those in `due` that are up and of the oldest of the list, half and half
 * where there are enough of both. 0, or -1 where Redis is away or refuses (see
 * redis_error). Blocks for at most 2 x redis.timeout_ms.
 */
int jobs_claim(struct jobs *jobs, size_t most, jobs_take *take, void *context,
               struct jobs_claimed *claimed);

/*
 * Notes the fate of a job, takes it over and frees it. error is one word, for
 * JOB_RETRY and JOB_DEAD; a longer one is cut. Can't fail. Nothing is sent
 * before jobs_flush; what could not be sent then is kept and sent with the
 * next, so no fate is ever forgotten.
 */
void jobs_settle(struct jobs *jobs, struct job *job, enum job_fate fate,
                 int64_t delay_ms, const char *error);

/*
 * Sends the noted fates, JOBS_BATCH a script. 0, or -1 where some are still
 * kept. flushed is what the scripts that were answered said. What was sent but
 * never answered is sent again, which is safe: it then counts as stale.
 */
int jobs_flush(struct jobs *jobs, struct jobs_flushed *flushed);

/* How many fates wait for jobs_flush. */
size_t jobs_unflushed(const struct jobs *jobs);

#endif
