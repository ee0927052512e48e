/*
 * Makes the attempts: takes jobs out of the fair queue while there are free
 * slots, sends the requests, logs the results, and hands each job with its
 * verdict to the worker. It knows nothing of Redis.
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include "callback_log.h"
#include "fair_queue.h"
#include "lookups.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "retry_policy.h"
#include "settings.h"
#include "stats.h"
#include "store/job.h"
#include "traces.h"

struct dispatcher;

/* Called at the end of each attempt. Takes job over; must not call back. */
typedef void dispatcher_ended(void *context, struct job *job,
                              const struct retry_verdict *verdict);

/*
 * Called right before an attempt for job begins. False: it must not begin, and
 * the job is returned. Must not call back.
 */
typedef bool dispatcher_begins(void *context, struct job *job);

/* What the dispatcher works with; all are borrowed. */
struct dispatcher_parts {
    const struct settings *settings;
    struct fair_queue *queue;
    struct lookups *lookups;
    struct callback_log *log;
    struct traces *traces;
    struct event_loop *loop;
    struct stats *stats;
    struct metrics *metrics;
};

/* NULL (errno). */
struct dispatcher *dispatcher_open(const struct dispatcher_parts *parts,
                                   dispatcher_begins *begins,
                                   dispatcher_ended *ended, void *context);

/* Drops the attempts under way and frees their jobs, whose leases run out. */
void dispatcher_close(struct dispatcher *dispatcher);

/*
 * Logs that this host lacks the resources for a callback: at the beginning,
 * once a minute, and at the end.
 */
void dispatcher_note_shortage(struct dispatcher *dispatcher, const char *why);

/*
 * Starts the jobs that may start. To be called after jobs were added to the
 * queue, and at least once a second.
 */
void dispatcher_step(struct dispatcher *dispatcher);

/* Stops the attempts under way; their jobs are returned without an attempt
   used. The queue must be empty. */
void dispatcher_abort(struct dispatcher *dispatcher);

#endif
