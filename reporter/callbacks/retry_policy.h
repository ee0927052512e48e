/*
 * What becomes of a job after an attempt. Pure: no clock, no dice, no state;
 * one table of what libcurl and HTTP can say and what we do then.
 */
#ifndef RETRY_POLICY_H
#define RETRY_POLICY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "store/job.h"

/* What is known after an attempt. */
struct retry_policy_facts {
    CURLcode code;    /* how the transfer ended */
    long status;      /* of HTTP; 0: no response */
    bool refused;     /* by us: no address of it may be called */
    int no_resources; /* errno: we had no means to connect; 0: we had */
    bool body_cut;    /* we stopped it: the rest of the body is of no use */
    bool head_cut;    /* we stopped it: the headers have no end */
    int64_t retry_after_ms; /* what it asked for; 0: nothing */
    int64_t attempts;       /* made before this one */
    int64_t returned;       /* how often it went back, starved */
    uint32_t random;        /* random: spreads what failed together */
};

struct retry_policy {
    enum job_disposition disposition;
    int64_t delay_ms;  /* for JOB_RETRY */
    int64_t hold_ms;   /* to leave the whole destination alone; 0: not */
    long status;       /* to show; 0: there was no whole response */
    const char *error; /* one word, static; "-" where there is a status */
    char reason[JOB_ERROR_SIZE]; /* to find it by: that, or status-500; "" for
                                    a job that nobody tried to send */
};

/*
 * Judges an attempt. A 2xx is delivery. Else the job is tried again by
 * retry_delays, each +-20 %, unless this was its last attempt: that is number
 * delays + 1 after a network error, 408, 425, 429 or 5xx; 2 after any other
 * status; 1 after a 410 (RFC 9110, 15.5.11: likely to be permanent), for a URL
 * that libcurl can't read, or where we refuse to call. What is not a 2xx may
 * say with Retry-After when it is to be called again: not before.
 *
 * What we had no means to send goes back and was no attempt, after 1, 2, 4 ..
 * and at most 60 s; but not more often than it may be sent. After that it is
 * an attempt: a job whose own fault it is does not live for ever.
 */
struct retry_policy
retry_policy_classify(const struct option_delays *retry_delays_s,
                      const struct retry_policy_facts *facts);

/*
 * True for a job that is not worth another attempt before it is made: so many
 * of them ended with the reporter's life that the job may be the cause. A job
 * outlives its schedule by RETRY_POLICY_CRASHES such attempts: those that
 * merely waited in a reporter that was killed lose an attempt, too, and are not
 * to be given up for that alone.
 */
bool retry_policy_is_hopeless(const struct option_delays *retry_delays_s,
                              int64_t attempts);

enum { RETRY_POLICY_CRASHES = 20 };

#endif
