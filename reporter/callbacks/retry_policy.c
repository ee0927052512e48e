/*
 * retry_policy: a response counts if its head is complete, whatever its body
 * does. A receiver that has sent a status line and hangs within the headers has
 * not answered. If libcurl ends a transfer because a header makes no sense, the
 * status counts: which headers those are depends on libcurl's version.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include "retry_policy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

#define BLANKS " \t\r\n"

/* CURLE_TOO_LARGE of libcurl 8.6 and later: the libcurl that runs may be newer
   than the header here. https://curl.se/libcurl/c/libcurl-errors.html */
enum { LIBCURL_TOO_LARGE = 100 };

enum {
    JITTER_PERCENT = 20,
    NO_RESOURCES_DELAY_MS = 1000, /* the first; doubles ... */
    NO_RESOURCES_MAX_MS = 60000,  /* ... up to this */
};

/* The status of HTTP that counts; 0: none. */
static long
known_status(const struct retry_facts *facts)
{
    switch (facts->code) {
    case CURLE_OK:
        return facts->status;
    /* Of a header; a body that is bad comes after the end of the attempt. */
    case CURLE_BAD_CONTENT_ENCODING: /* Transfer-Encoding */
    case CURLE_FILESIZE_EXCEEDED:    /* Content-Length, too large */
    case CURLE_WEIRD_SERVER_REPLY:   /* Content-Length, or no header at all */
        return facts->status >= 200 ? facts->status : 0;
    default:
        return 0;
    }
}

/* The error word of a transfer without a response. */
static const char *
error_word(const struct retry_facts *facts)
{
    if (facts->refusal != NULL) {
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

/* How many attempts a job may have in all if one of them ends like this. */
static int64_t
max_attempts(int64_t scheduled, const struct retry_facts *facts, long status)
{
    if (facts->refusal != NULL || facts->code == CURLE_URL_MALFORMAT ||
        status == 410) {
        return 1;
    }
    if (status == 0 || status == 408 || status == 425 || status == 429 ||
        status >= 500) {
        return scheduled;
    }
    return int64_min(scheduled, 2);
}

/* What the attempt shows about its destination. */
static enum retry_evidence
find_evidence(const struct retry_facts *facts, long status)
{
    if (facts->refusal != NULL || (facts->no_resources != 0 && status == 0)) {
        return RETRY_EVIDENCE_NONE;
    }
    if (status == 429) {
        return RETRY_EVIDENCE_OVERLOAD;
    }
    return status == 0 || status >= 500 ? RETRY_EVIDENCE_FAILURE
                                        : RETRY_EVIDENCE_SUCCESS;
}

static enum retry_scope
find_scope(const struct retry_facts *facts, const char *error)
{
    return facts->status == 0 &&
                   (strcmp(error, "resolve") == 0 ||
                    strcmp(error, "connect") == 0 || strcmp(error, "tls") == 0)
               ? RETRY_SCOPE_HOST
               : RETRY_SCOPE_PATH;
}

static enum retry_reach
find_reach(const struct retry_facts *facts, const char *error)
{
    if (facts->status != 0) {
        return RETRY_REACH_ANSWERED;
    }
    return strcmp(error, "connect") == 0 || strcmp(error, "tls") == 0 ||
                   strcmp(error, "timeout") == 0
               ? RETRY_REACH_LOST
               : RETRY_REACH_UNKNOWN;
}

/* The scheduled delay with jitter, or hold_ms if that is longer. */
static int64_t
retry_delay_ms(const struct option_delays *retry_delays_s,
               const struct retry_facts *facts, int64_t hold_ms)
{
    int64_t permille = 1000 - JITTER_PERCENT * 10 +
                       (int64_t)(facts->random % (JITTER_PERCENT * 20 + 1));
    int64_t jittered_ms = retry_delays_s->s[facts->attempts] * permille;

    return int64_max(jittered_ms, hold_ms);
}

static int64_t
no_resources_delay_ms(int64_t returned)
{
    int64_t delay_ms = NO_RESOURCES_DELAY_MS;

    for (; returned > 0 && delay_ms < NO_RESOURCES_MAX_MS; returned--) {
        delay_ms *= 2;
    }
    return int64_min(delay_ms, NO_RESOURCES_MAX_MS);
}

/* Decides what happens to the job of an attempt that did not deliver it. */
static void
dispose(struct retry_verdict *verdict,
        const struct option_delays *retry_delays_s,
        const struct retry_facts *facts)
{
    int64_t scheduled = (int64_t)retry_delays_s->count + 1;

    if (verdict->no_resources != 0 && facts->returned < scheduled) {
        verdict->disposition = JOB_RETURN;
        verdict->delay_ms = no_resources_delay_ms(facts->returned);
    } else if (facts->attempts + 1 <
               max_attempts(scheduled, facts, verdict->status)) {
        verdict->disposition = JOB_RETRY;
        verdict->delay_ms =
            retry_delay_ms(retry_delays_s, facts, verdict->hold_ms);
    } else {
        verdict->disposition = JOB_DEAD;
    }
}

struct retry_verdict
retry_policy_classify(const struct option_delays *retry_delays_s,
                      const struct retry_facts *facts)
{
    long status = known_status(facts);
    struct retry_verdict verdict = {
        .disposition = JOB_DELIVERED,
        .status = status,
        .error = status != 0 ? "-" : error_word(facts),
        .evidence = find_evidence(facts, status),
        .no_resources = status != 0 ? 0 : facts->no_resources,
    };

    verdict.reach = find_reach(facts, verdict.error);
    verdict.scope = find_scope(facts, verdict.error);
    if (status >= 200 && status < 300) {
        return verdict;
    }
    if (status != 0) {
        verdict.hold_ms = facts->retry_after_ms;
        snprintf(verdict.reason, sizeof(verdict.reason), "status-%ld", status);
    } else {
        snprintf(verdict.reason, sizeof(verdict.reason), "%s", verdict.error);
    }
    dispose(&verdict, retry_delays_s, facts);
    return verdict;
}

bool
retry_policy_is_hopeless(const struct option_delays *retry_delays_s,
                         int64_t attempts)
{
    return attempts > (int64_t)retry_delays_s->count + RETRY_POLICY_CRASHES;
}

static bool
ends_here(const char *text)
{
    return text[strspn(text, BLANKS)] == '\0';
}

static int64_t
bounded_ms(int64_t wait_s)
{
    return int64_clamp(wait_s, 0, RETRY_AFTER_MAX_MS / 1000) * 1000;
}

/* Reads digits, any number of them. -1 if there is anything else. */
static int64_t
read_seconds(const char *text)
{
    size_t len = strspn(text, "0123456789");
    int64_t wait_s = 0;

    if (len == 0 || !ends_here(text + len)) {
        return -1;
    }
    for (size_t i = 0; i < len && wait_s < RETRY_AFTER_MAX_MS; i++) {
        wait_s = wait_s * 10 + (text[i] - '0');
    }
    return bounded_ms(wait_s);
}

/* The program never leaves the C locale, so strptime knows English names. */
static int64_t
read_date(const char *text, int64_t now_s)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate, which servers must send */
        "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850, obsolete */
        "%a %b %e %H:%M:%S %Y",      /* asctime, obsolete */
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);

        if (end != NULL && ends_here(end)) {
            return bounded_ms((int64_t)timegm(&tm) - now_s);
        }
    }
    return -1;
}

/* Strict: a wrong guess would stop all callbacks to a receiver. */
int64_t
retry_after_ms(const char *value, int64_t now_s)
{
    int64_t wait_ms;

    value += strspn(value, BLANKS);
    wait_ms = read_seconds(value);
    return wait_ms >= 0 ? wait_ms : read_date(value, now_s);
}
