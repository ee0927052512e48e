/*
 * The callback queue in Redis. The accept script (accept.lua) adds jobs; this
 * module claims and settles them. A job is in the list `callbacks` until it is
 * claimed, and then in the zset `due` until it is settled. Its score there is
 * the time at which it is due: the end of its lease, or of its delay. All
 * times are Redis's.
 *
 * A member of `due` is "<claim> <attempts> <json>". The claim is the token of
 * a claim, or "-" if the job is not claimed. Settling a job removes those
 * exact bytes, so that a reporter whose lease has run out changes nothing.
 *
 * Only an attempt that began counts if its reporter was killed. A token is two
 * numbers in hexadecimal with a mark between them:
 *
 *   .   the job is claimed
 *   ~   the same, and before that its lease ran out without an attempt that
 *       was known to have begun
 *   !   an attempt is under way: if the lease runs out, that attempt counts
 *
 * An attempt gets its ! soon after its start; if it ends before that, it gets
 * none. A job with ~ gets its ! before the start: if it is the job that kills
 * reporters, then its attempts count.
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

/* Called for each claimed job, which it owns from then on. Must not use Redis.
 */
typedef void job_queue_take(void *context, struct job *job);

struct job_queue_claimed {
    size_t count;      /* jobs that were handed to `take` */
    size_t unreadable; /* jobs that go to the dead list instead */
    bool more;         /* the batch was full: more jobs may be waiting */
};

struct job_queue_flushed {
    int64_t stale;   /* settled after another claim: without effect */
    int64_t dropped; /* oldest entries of the dead list, over max_dead */
};

/* options and redis are borrowed for its life. NULL: no memory. */
struct job_queue *job_queue_open(const struct options *options,
                                 struct redis *redis);

/* Frees it, and the jobs that were not flushed: their leases will run out. */
void job_queue_close(struct job_queue *queue);

/*
 * Claims at most `most` jobs, and at most JOB_QUEUE_BATCH, for
 * callbacks.lease_s. Half of them are due jobs and half are the oldest jobs of
 * the list, if there are enough of both. 0, or -1 if Redis is away or refuses
 * (see redis_error). Blocks for at most 2 x redis.timeout_ms.
 */
int job_queue_claim(struct job_queue *queue, size_t most, job_queue_take *take,
                    void *context, struct job_queue_claimed *claimed);

/*
 * Notes that an attempt for a claimed job is about to begin. 0, or -1 if it
 * must not begin, because that has to be in Redis first and Redis does not take
 * it. Blocks only then, for at most 2 x redis.timeout_ms.
 */
int job_queue_begin(struct job_queue *queue, struct job *job);

/*
 * Writes to Redis which attempts have begun at least JOB_QUEUE_MARK_MS ago and
 * are still under way. 0, or -1 if Redis is away or refuses.
 */
int job_queue_mark(struct job_queue *queue);

/* An attempt that is over sooner needs no mark in Redis. Under full load
   attempts take 100 ms, and a mark costs as much of Redis as a claim. */
enum { JOB_QUEUE_MARK_MS = 200 };

/*
 * Notes how a claimed job ends. The queue owns and frees the job from then on.
 * error is one word, or "" for JOB_DELIVERED and JOB_RETURN; a longer word is
 * cut. Can't fail. job_queue_flush sends it.
 */
void job_queue_settle(struct job_queue *queue, struct job *job,
                      enum job_disposition disposition, int64_t delay_ms,
                      const char *error);

/*
 * Sends all settlements, JOB_QUEUE_BATCH per script. 0, or -1 if some could
 * not be sent: they are kept, and sent with the next flush. *flushed is the
 * sum of the replies. A settlement whose reply was lost is sent again: that
 * does no harm, and counts as stale.
 */
int job_queue_flush(struct job_queue *queue, struct job_queue_flushed *flushed);

/* How many settlements wait for job_queue_flush. */
size_t job_queue_unflushed(const struct job_queue *queue);

#endif
