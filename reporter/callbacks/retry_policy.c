/*
 * outcome: the judgement of one attempt. A response counts only when it is
 * whole (or was cut by us, who wanted no more of it): a receiver that says
 * 200 and then hangs past the deadline has not answered.
 */
#include "retry_policy.h"

#include <stdio.h>

#include "base/util.h"

enum { JITTER_PERCENT = 20, STARVED_DELAY_MS = 1000, STARVED_MAX_MS = 60000 };

/* CURLE_TOO_LARGE of libcurl 8.6 and later: the libcurl that runs may be newer
   than the header here. https://curl.se/libcurl/c/libcurl-errors.html */
enum { LIBCURL_TOO_LARGE = 100 };

/* The word for a transfer that brought no whole response. */
static const char *
error_word(const struct retry_policy_facts *facts)
{
    if (facts->refused) {
        return "refused";
    }
    if (facts->no_resources != 0) {
        return "starved";
    }
    if (facts->head_cut) {
        return "too-large";
    }
    switch ((int)facts->code) {
    /* A header line of over 100 KB; libcurl before 8.6 has no memory for it. */
    case CURLE_OUT_OF_MEMORY:
    case LIBCURL_TOO_LARGE:
        return "too-large";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "resolve";
    case CURLE_COULDNT_CONNECT:
        return "connect";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "tls";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return "reset";
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also for HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return "malformed";
    default:
        return "internal";
    }
}

/* How many attempts a job has in all when one of them ends like this. */
static int64_t
call_pool_allowed(int64_t scheduled, const struct retry_policy_facts *facts,
                  long status)
{
    int64_t few = scheduled < 2 ? scheduled : 2;

    if (facts->refused || facts->code == CURLE_URL_MALFORMAT) {
        return 1;
    }
    if (status == 0) {
        return scheduled;
    }
    if (status == 408 || status == 425 || status == 429 || status >= 500) {
        return scheduled;
    }
    return status == 410 ? 1 : few;
}

/* The schedule, more or less; not before the receiver wants it. */
static int64_t
delay_ms(const struct option_delays *retry_delays_s,
         const struct retry_policy_facts *facts, int64_t hold_ms)
{
    int64_t permille = 1000 - JITTER_PERCENT * 10 +
                       (int64_t)(facts->random % (JITTER_PERCENT * 20 + 1));
    int64_t jittered_ms = retry_delays_s->s[facts->attempts] * permille;

    return int64_max(jittered_ms, hold_ms);
}

/* Doubled each time. */
static int64_t
starved_delay_ms(int64_t returned)
{
    int64_t wait_ms = STARVED_DELAY_MS;

    for (; returned > 0 && wait_ms < STARVED_MAX_MS; returned--) {
        wait_ms *= 2;
    }
    return wait_ms < STARVED_MAX_MS ? wait_ms : STARVED_MAX_MS;
}

struct retry_policy
retry_policy_classify(const struct option_delays *retry_delays_s,
                      const struct retry_policy_facts *facts)
{
    bool whole = facts->code == CURLE_OK || facts->body_cut;
    struct retry_policy outcome = {.status = whole ? facts->status : 0};
    int64_t scheduled = (int64_t)retry_delays_s->count + 1;

    outcome.error = outcome.status != 0 ? "-" : error_word(facts);
    if (outcome.status >= 200 && outcome.status < 300) {
        outcome.disposition = JOB_DELIVERED;
        return outcome;
    }
    if (outcome.status != 0) {
        snprintf(outcome.reason, sizeof(outcome.reason), "status-%ld",
                 outcome.status);
    } else {
        snprintf(outcome.reason, sizeof(outcome.reason), "%s", outcome.error);
    }
    if (facts->no_resources != 0 && outcome.status == 0 &&
        facts->returned < scheduled) {
        outcome.disposition = JOB_RETURN;
        outcome.delay_ms = starved_delay_ms(facts->returned);
        return outcome;
    }
    outcome.hold_ms = outcome.status == 0 ? 0 : facts->retry_after_ms;
    if (facts->attempts + 1 <
        call_pool_allowed(scheduled, facts, outcome.status)) {
        outcome.disposition = JOB_RETRY;
        outcome.delay_ms = delay_ms(retry_delays_s, facts, outcome.hold_ms);
        return outcome;
    }
    outcome.disposition = JOB_DEAD;
    return outcome;
}

bool
retry_policy_is_hopeless(const struct option_delays *retry_delays_s,
                         int64_t attempts)
{
    return attempts > (int64_t)retry_delays_s->count + RETRY_POLICY_CRASHES;
}
