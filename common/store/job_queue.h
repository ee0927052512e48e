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
#ifndef JOB_QUEUE_H
#define JOB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "job.h"
#include "redis/redis.h"

struct job_queue;

/* The most jobs that one script claims or settles: about 2 ms of Redis. */
enum { JOB_QUEUE_BATCH = 256 };

/* Called for each claimed job; takes it over. It must not use Redis. */
typedef void job_queue_take(void *context, struct job *job);

struct job_queue_claimed {
    size_t count;      /* how many take was called for */
    size_t unreadable; /* how many went to the dead list instead */
    bool more;         /* the batch was full: more may be waiting */
};

struct job_queue_flushed {
    int64_t stale;   /* settled after the lease was another's: no effect */
    int64_t dropped; /* oldest dead jobs, dropped over max_dead */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct job_queue *job_queue_open(const struct options *options,
                                 struct redis *redis);

/* What was not flushed is forgotten here: its leases will run out. */
void job_queue_close(struct job_queue *queue);

/*
 * Claims at most most jobs, and at most JOB_QUEUE_BATCH, for callbacks.lease_s:
 * of those in `due` that are up and of the oldest of the list, half and half
 * where there are enough of both. 0, or -1 where Redis is away or refuses (see
 * redis_error). Blocks for at most 2 x redis.timeout_ms.
 */
int job_queue_claim(struct job_queue *queue, size_t most, job_queue_take *take,
                    void *context, struct job_queue_claimed *claimed);

/*
 * Notes the fate of a job, takes it over and frees it. error is one word, or
 * "" for JOB_DELIVERED and JOB_RETURN; a longer one is cut. Can't fail. Nothing
 * is sent before job_queue_flush; what could not be sent then is kept and sent
 * with the next, so no fate is ever forgotten.
 */
void job_queue_settle(struct job_queue *queue, struct job *job,
                      enum job_disposition disposition, int64_t delay_ms,
                      const char *error);

/*
 * Sends the noted fates, JOB_QUEUE_BATCH a script. 0, or -1 where some are
 * still kept. flushed is what the scripts that were answered said. What was
 * sent but never answered is sent again, which is safe: it then counts as
 * stale.
 */
int job_queue_flush(struct job_queue *queue, struct job_queue_flushed *flushed);

/* How many fates wait for job_queue_flush. */
size_t job_queue_unflushed(const struct job_queue *queue);

#endif
