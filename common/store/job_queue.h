/*
 * The callback queue in Redis. The accept script (accept.lua) adds jobs; this
 * module claims and settles them. A job is in the list of its destination until
 * it is claimed, and then in the zset `due` until it is settled. Its score
 * there is the time at which it is due: the end of its lease, or of its delay.
 * Then it goes back to the list of its destination. All times are Redis's.
 *
 * The zset `destinations` has those with a job in their list, by when their
 * turn began; `strangers` the same for those that are not proven: they have not
 * answered, or not lately. So a reporter finds them without walking through the
 * jobs, and claims jobs only of those that it has room for.
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

enum {
    /* The most jobs that one script claims or settles: about 2 ms of Redis. */
    JOB_QUEUE_BATCH = 256,
    JOB_QUEUE_FOUND_MAX = 64, /* destinations that one look finds */
    JOB_QUEUE_RECOUNT_MS = 60000,
    JOB_QUEUE_PROVEN_MAX = 10000,    /* destinations that Redis remembers */
    JOB_QUEUE_KEPT_MAX_MS = 7200000, /* for so long at most, without news */
};

/* Called for each destination with jobs whose turn it is, and whether it is
   proven by what Redis knows. Must not use Redis.
   origin is borrowed for the call. */
typedef void job_queue_found(void *context, const char *origin, bool proven);

struct job_queue_looked {
    size_t unreadable; /* jobs that go to the dead list */
    bool more;         /* there may be more to find */
};

/* What is to be claimed of one destination. */
struct job_queue_wish {
    const char *origin; /* borrowed */
    size_t most;        /* jobs; 0: there is no room for any */
    int64_t wait_ms;    /* if jobs are left: no look finds it earlier */
    size_t left;        /* set by the claim: how many jobs are left */
};

/* Called for each claimed job, which it owns from then on. Must not use Redis.
 */
typedef void job_queue_take(void *context, struct job *job);

struct job_queue_claimed {
    size_t count;      /* jobs that were handed to `take` */
    size_t unreadable; /* jobs that go to the dead list instead */
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
 * Calls found for the destinations whose turn it is, that which waits longest
 * first, those that are not proven after the others and at most strangers of
 * them. Then moves jobs that are due again, and jobs of the list `callbacks`,
 * to the lists of their destinations, at most JOB_QUEUE_BATCH of each kind: the
 * next look finds those. If the reply to the last claim was lost, does nothing,
 * so that its jobs are not taken for those of a dead reporter. 0, or -1 if
 * Redis is away or refuses (see redis_error). Blocks for at most 4 x
 * redis.timeout_ms.
 */
int job_queue_look(struct job_queue *queue, size_t strangers,
                   job_queue_found *found, void *context,
                   struct job_queue_looked *looked);

/*
 * Claims the jobs of count wishes, each with a destination of its own, together
 * at most JOB_QUEUE_BATCH jobs, for callbacks.lease_s. If the reply to the last
 * claim was lost, claims its jobs again and no others, even if count is 0; the
 * wishes are then told that SIZE_MAX jobs are left. 0, or -1 if Redis is away
 * or refuses (see redis_error). Blocks for at most 2 x redis.timeout_ms.
 */
int job_queue_claim(struct job_queue *queue, struct job_queue_wish *wishes,
                    size_t count, job_queue_take *take, void *context,
                    struct job_queue_claimed *claimed);

/* What is to be noted of one destination. */
struct job_queue_proof {
    const char *origin; /* borrowed */
    int64_t kept_ms;    /* its place in Redis is kept for this long, at most
                           JOB_QUEUE_KEPT_MAX_MS; 0: it is not proven any
                           more */
};

/*
 * Notes which destinations are proven. If Redis has JOB_QUEUE_PROVEN_MAX, those
 * whose time is over make room; if there are none, a new one is not noted. 0,
 * or -1 as job_queue_claim. Blocks for at most 2 x redis.timeout_ms.
 */
int job_queue_prove(struct job_queue *queue,
                    const struct job_queue_proof *proofs, size_t count);

/*
 * Counts the jobs in Redis anew, if nobody did for JOB_QUEUE_RECOUNT_MS. 0, or
 * -1 as job_queue_claim. Blocks for at most 2 x redis.timeout_ms.
 */
int job_queue_recount(struct job_queue *queue);

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

/* An attempt that is over sooner needs no mark in Redis. If all slots are
   taken, attempts take up to 500 ms, and a mark costs as much of Redis as a
   claim. */
enum { JOB_QUEUE_MARK_MS = 1000 };

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
