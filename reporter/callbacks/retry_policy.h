/*
 * The verdict on one attempt: what happens to its job, what it shows about its
 * destination, and what is logged. One table of the results that libcurl and
 * HTTP can have. Pure: no clock, no random numbers, no state.
 */
#ifndef RETRY_POLICY_H
#define RETRY_POLICY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "store/job.h"

enum {
    /* A longer Retry-After is cut to this. */
    RETRY_AFTER_MAX_MS = 3600 * 1000,
    /* Attempts beyond the schedule: see retry_policy_is_hopeless. */
    RETRY_POLICY_CRASHES = 20,
};

/* What is known after an attempt. */
struct retry_facts {
    CURLcode code;          /* of the transfer; CURLE_OK if the head of the
                               final response has come */
    long status;            /* of HTTP; 0: no response */
    const char *refusal;    /* why none of the host's addresses may be called;
                               NULL: one may */
    int no_resources;       /* errno: this host had no socket, port or memory
                               for the attempt; 0: it had */
    bool head_cut;          /* stopped by us: the headers are too long */
    int64_t retry_after_ms; /* of the Retry-After header; 0: none */
    int64_t attempts;       /* of this job, before this attempt */
    int64_t returned; /* how often this job was returned for no_resources */
    uint32_t random;  /* any random number: spreads the retries */
};

/* What an attempt shows about its destination. */
enum retry_evidence {
    RETRY_EVIDENCE_NONE,     /* nothing was sent, or we stopped it */
    RETRY_EVIDENCE_SUCCESS,  /* any other status: the destination is up */
    RETRY_EVIDENCE_OVERLOAD, /* 429: it is up and asks for fewer requests */
    RETRY_EVIDENCE_FAILURE,  /* 5xx, no connection, no response in time */
};

/* Whether an attempt reached its destination. */
enum retry_reach {
    RETRY_REACH_UNKNOWN,
    RETRY_REACH_ANSWERED, /* an HTTP response came, whatever it says */
    RETRY_REACH_LOST,     /* no connection, no TLS, or no response in time */
};

/* What a failure is evidence of. */
enum retry_scope {
    RETRY_SCOPE_PATH, /* a status, or no response: see paths.h */
    RETRY_SCOPE_HOST, /* no address, no connection, no TLS */
};

/* Zeroed: the job was delivered, and nothing is known of the destination. */
struct retry_verdict {
    enum job_disposition disposition;
    int64_t delay_ms; /* for JOB_RETRY and JOB_RETURN */
    enum retry_evidence evidence;
    enum retry_reach reach;
    enum retry_scope scope; /* of evidence, if it is a failure */
    int64_t hold_ms;   /* no attempts at this path for so long, as Retry-After
                          asks for; 0: no such request */
    int no_resources;  /* errno: the attempt failed for it; 0: it did not */
    long status;       /* to be logged; 0: there was no response */
    const char *error; /* one word, static; "-" with a status */
    char reason[JOB_ERROR_SIZE]; /* to be logged, and of the job in Redis: the
                                    error word, or status-500; "": delivered, or
                                    no attempt was made */
};

/*
 * The verdict on an attempt. A 2xx is delivery, even if libcurl ends the
 * transfer for a header that makes no sense. Any other result is retried
 * after retry_delays_s, each +-20 %, up to a number of attempts:
 *
 *   network error, 408, 425, 429, 5xx    delays + 1
 *   another status                       2
 *   410 (RFC 9110, 15.5.11: gone), an unreadable URL, a refused address    1
 *
 * If the response has a Retry-After, the next attempt is not made earlier.
 *
 * If this host has no resources for an attempt, the job is returned without an
 * attempt used, for 1, 2, 4 .. 60 s. That happens at most delays + 1 times:
 * after that it counts as an attempt, so that no job lives for ever.
 */
struct retry_verdict
retry_policy_classify(const struct option_delays *retry_delays_s,
                      const struct retry_facts *facts);

/*
 * True if a claimed job is to be given up without another attempt: so many of
 * its attempts ended because the reporter did that the job may be the cause.
 * RETRY_POLICY_CRASHES attempts beyond the schedule are allowed, because all
 * attempts that are under way when a reporter is killed count.
 */
bool retry_policy_is_hopeless(const struct option_delays *retry_delays_s,
                              int64_t attempts);

/*
 * Reads the value of a Retry-After header (RFC 9110, 10.2.3): seconds, or an
 * HTTP-date (RFC 9110, 5.6.7), which is compared with now_s, the wall clock.
 * Returns the milliseconds to wait, 0 if the date has passed, or -1 if value is
 * neither.
 */
int64_t retry_after_ms(const char *value, int64_t now_s);

#endif
