/*
 * One attempt at a time to deliver a job: a libcurl handle with its settings,
 * and the memory of what is being sent. Made once, used for one job after
 * another. It neither decides nor waits.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <curl/curl.h>

#include "destinations.h"
#include "job.h"
#include "names.h"
#include "outcome.h"
#include "terms.h"

struct attempt;

/* terms is borrowed for its life. NULL: no memory. */
struct attempt *attempt_open(const struct terms *terms);

/* Not while its transfer is under way. Does not free a job that it has. */
void attempt_close(struct attempt *attempt);

/*
 * Makes ready to send job, which it has until attempt_release, and starts its
 * clock. 0, or -1 for want of memory.
 */
int attempt_prepare(struct attempt *attempt, struct job *job,
                    const struct destination_ticket *ticket);

/*
 * What has to be looked up before it may start; NULL: nothing. And what was
 * found, as names_ask says it; to be called right before the start, in any
 * case: whatever its time limit has left is for the transfer. 0, or -1 for
 * want of memory.
 */
const char *attempt_name(const struct attempt *attempt);
int attempt_resolve(struct attempt *attempt, const char *addresses);

/* Gives its job back; NULL where it has none. */
struct job *attempt_release(struct attempt *attempt);

/* The handle to be given to transfers_start; and the way back. */
CURL *attempt_easy(const struct attempt *attempt);
struct attempt *attempt_of(CURL *easy);

/* The job that it has; NULL where it is idle. */
const struct job *attempt_job(const struct attempt *attempt);

/* Of that job: its ticket, and its wait for a name, whose context it is. */
const struct destination_ticket *attempt_ticket(const struct attempt *attempt);
struct names_wait *attempt_wait(struct attempt *attempt);

/* Whom it calls, or called last: host:port. */
const char *attempt_host(const struct attempt *attempt);

/* Why the guard refused the address; "" where it did not. */
const char *attempt_refusal(const struct attempt *attempt);

/* Milliseconds since attempt_prepare. */
int64_t attempt_duration_ms(const struct attempt *attempt);

/* What is known after the transfer ended with code. */
struct outcome_facts attempt_facts(const struct attempt *attempt,
                                   CURLcode code);

#endif
