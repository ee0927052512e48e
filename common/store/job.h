/*
 * One callback job, as bytes and as a struct. Pure text: no Redis in here, see
 * job_queue.h for how jobs move. A job is JSON, so that an operator can read
 * it:
 *
 *   {"v":1,"id":"<token>","url":"<endpoint>","window":<epoch s>,"count":<N>}
 *
 * Further members are let be: what failed has its "error", what could not be
 * sent has "returned", and an entry of the dead list, which has "attempts" too,
 * may be moved back to the queue as it is.
 */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JOB_ID_MAX_BYTES = 64, /* letters, digits, - and _ */
    JOB_ERROR_SIZE = 32,   /* an error word with its NUL */
};

/* How a claimed job ends. */
enum job_disposition {
    JOB_DELIVERED, /* forgotten */
    JOB_RETRY,     /* again after delay_ms, with one attempt more on it */
    JOB_RETURN,    /* again after delay_ms, no attempt used; with an error:
                      with one return more on it, and that */
    JOB_DEAD,      /* to the dead list, with one attempt more and its error */
};

/* One claimed job. Belongs to who claimed it, until it settles it. */
struct job {
    char *member; /* its exact bytes in `due`: "<claim> <attempts> <json>" */
    size_t member_len;
    const char *json; /* where the JSON starts in member, to its end */
    size_t json_len;
    const char *id;    /* random, the same for all attempts: webhook-id */
    const char *url;   /* the endpoint; NULL where the job is unreadable */
    int64_t window_s;  /* start of the window it was accepted in */
    int64_t count;     /* unique ids of that window at that moment */
    int64_t attempts;  /* made before this claim */
    int64_t returned;  /* how often it came back with an error, not sent */
    int64_t leased_ms; /* monotonic: the lease ends at this moment */
    bool reclaimed;    /* it was claimed before, and put back or left */

    struct job *next; /* in the list of whoever holds it */
    enum job_disposition disposition;
    int64_t delay_ms;           /* for JOB_RETRY and JOB_RETURN */
    char error[JOB_ERROR_SIZE]; /* for all but JOB_DELIVERED; may be "" */
};

/*
 * Reads member[0..len) and copies it. NULL: no memory. Whatever else is wrong
 * with it gives a job without url, id and numbers, which can only be buried.
 */
struct job *job_read(const char *member, size_t len);
void job_free(struct job *job);

/*
 * The member that the job waits as, with that many attempts on it: "- <n>
 * <json>". If error is not "", "error" is set in the JSON, so that an operator
 * finds it by that, and "returned" as the job has it. malloc'd, *len bytes;
 * NULL: no memory.
 */
char *job_waiting(const struct job *job, int64_t attempts, const char *error,
                  size_t *len);

/*
 * Its entry in the dead list: its JSON with "attempts" and "error" set and
 * without "returned", or its raw bytes if it is unreadable. malloc'd, *len
 * bytes; NULL: no memory.
 */
char *job_dead_entry(const struct job *job, int64_t attempts, const char *error,
                     size_t *len);

#endif
