/*
 * One callback job, as bytes and as a struct. This module only reads and
 * writes text; job_queue.h moves jobs in Redis. A job is JSON, so that an
 * operator can read it:
 *
 *   {"v":1,"id":"<token>","url":"<endpoint>","window":<epoch s>,"at":<ms>,
 *    "count":<N>}
 *
 * If the request had them, "tp", "ts" and "rid" are its traceparent, tracestate
 * and request id: see trace_context.h.
 *
 * "at" is the moment of acceptance by Redis's clock, in milliseconds since the
 * Unix epoch. Jobs of older versions, and jobs that an operator wrote, may have
 * none. Further members are allowed and kept. A job that failed has an "error";
 * a job that could not be sent for want of local resources has "returned"; an
 * entry of the dead list has "attempts", and may be moved back to the queue
 * unchanged.
 */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "trace_context.h"

enum {
    JOB_ID_MAX_BYTES = 64, /* letters, digits, - and _ */
    JOB_ERROR_SIZE = 32,   /* an error word with its NUL */
};

/* How a claim of a job ends. */
enum job_disposition {
    JOB_DELIVERED, /* the job is deleted */
    JOB_RETRY,     /* due again after delay_ms, with one more attempt */
    JOB_RETURN,    /* due again after delay_ms, without an attempt used; with
                      an error: with one more return, and that error */
    JOB_DEAD,      /* to the dead list, with one more attempt and the error */
    JOB_DROPPED,   /* the job is deleted, undelivered */
};

/* One claimed job. It belongs to its claimer until job_queue_settle. */
struct job {
    char *member; /* its exact bytes in `due`: "<claim> <attempts> <json>" */
    size_t member_len;
    const char *json; /* start of the JSON in member */
    size_t json_len;
    const char *id;   /* random, the same for all attempts: webhook-id */
    const char *url;  /* the endpoint; NULL if the job is unreadable */
    int64_t window_s; /* start of the window in which it was accepted */
    int64_t at_ms;    /* when it was accepted, by Redis's clock, since the Unix
                         epoch; 0: not known */
    int64_t count;    /* unique ids of that window at that moment */
    struct trace_context *trace; /* NULL: it has none */
    int64_t attempts;            /* made before this claim */
    int64_t returned;  /* how often it came back with an error, not sent */
    int64_t leased_ms; /* monotonic: the end of the lease */
    int64_t clock_ms;  /* Redis's clock (since the Unix epoch) less the
                          monotonic clock of this process, at the claim */

    TAILQ_ENTRY(job) begun; /* in the list of attempts that have begun, ... */
    bool in_begun;          /* ... if it is in that list */
    int64_t begun_ms;       /* monotonic; 0: no attempt has begun */

    struct job *next;  /* in a list of its owner */
    uint64_t path_key; /* for its owner: of its URL's path */
    enum job_disposition disposition;
    int64_t delay_ms;           /* for JOB_RETRY and JOB_RETURN */
    char error[JOB_ERROR_SIZE]; /* for all but JOB_DELIVERED; may be "" */
};

/*
 * Copies and reads member[0..len). NULL: no memory. If the member can't be
 * read, the job has no url, id and numbers, and can only go to the dead list.
 */
struct job *job_read(const char *member, size_t len);
void job_free(struct job *job);

/* The time now by Redis's clock, which all reporters share: ms since the Unix
   epoch. */
int64_t job_now_ms(const struct job *job);

/*
 * The member under which the job waits with so many attempts: "- <n> <json>".
 * If error is not "", the JSON has it as "error", for operators, and
 * job->returned as "returned". malloc'd, *len bytes; NULL: no memory.
 */
char *job_waiting(const struct job *job, int64_t attempts, const char *error,
                  size_t *len);

/*
 * The job's entry in the dead list: its JSON with "attempts" and "error" set
 * and without "returned", or its raw bytes if it is unreadable. malloc'd, *len
 * bytes; NULL: no memory.
 */
char *job_dead_entry(const struct job *job, int64_t attempts, const char *error,
                     size_t *len);

#endif
