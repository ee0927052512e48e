/*
 * One attempt at a time to deliver a job: a libcurl handle with its settings,
 * and the memory of what is being sent. Made once, used for one job after
 * another. It neither decides nor waits.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <curl/curl.h>

#include "job.h"
#include "message.h"
#include "option.h"
#include "outcome.h"

struct attempt;

/* What a receiver may send before it is cut off. */
enum { ATTEMPT_HEAD_MAX_BYTES = 65536, ATTEMPT_BODY_MAX_BYTES = 65536 };

/* options and message are borrowed for its life. NULL: no memory. */
struct attempt *attempt_open(const struct options *options,
                             const struct message *message);

/* Not while its transfer is under way. Does not free a job that it has. */
void attempt_close(struct attempt *attempt);

/*
 * Makes ready to send job, which it has until attempt_release, and starts its
 * clock. 0, or -1 where libcurl refuses.
 */
int attempt_prepare(struct attempt *attempt, struct job *job);

/* Gives its job back; NULL where it has none. */
struct job *attempt_release(struct attempt *attempt);

/* The handle to be given to transfers_start; and the way back. */
CURL *attempt_easy(const struct attempt *attempt);
struct attempt *attempt_of(CURL *easy);

/* The job that it has; NULL where it is idle. */
const struct job *attempt_job(const struct attempt *attempt);

/* Whom it calls, or called last: host:port. */
const char *attempt_host(const struct attempt *attempt);

/* Milliseconds since attempt_prepare. */
int64_t attempt_duration_ms(const struct attempt *attempt);

/* What is known after the transfer ended with code. */
struct outcome_facts attempt_facts(const struct attempt *attempt,
                                   CURLcode code);

#endif
