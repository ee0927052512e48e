/*
 * test_retry_policy: the verdict on an attempt, by a table of the results that
 * an attempt can have; and the values of Retry-After.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/retry_policy.h"

/* Four attempts in all, after 5, 30 and 120 seconds. */
static const struct option_delays delays = {.count = 3, .s = {5, 30, 120}};

/* A random number that leaves a delay as it is. */
enum { NO_JITTER = 200 };

/* The example of RFC 9110, 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT. */
enum { EXAMPLE_S = 784111777 };

/*
 * A row: attempts 1, 2, 3 and 4 each end like this. Dispositions: R is retry, D
 * is dead. Evidence: + is success, o is overload, - is failure.
 */
struct row {
    CURLcode code;
    long status;
    const char *dispositions;
    char evidence;
    const char *error;
    const char *reason;
};

static const struct row rows[] = {
    {CURLE_OK, 200, "....", '+', "-", ""},
    {CURLE_OK, 204, "....", '+', "-", ""},
    {CURLE_OK, 299, "....", '+', "-", ""},
    {CURLE_OK, 500, "RRRD", '-', "-", "status-500"},
    {CURLE_OK, 503, "RRRD", '-', "-", "status-503"},
    {CURLE_OK, 599, "RRRD", '-', "-", "status-599"},
    {CURLE_OK, 999, "RRRD", '-', "-", "status-999"},
    {CURLE_OK, 408, "RRRD", '+', "-", "status-408"},
    {CURLE_OK, 425, "RRRD", '+', "-", "status-425"},
    {CURLE_OK, 429, "RRRD", 'o', "-", "status-429"},
    {CURLE_OK, 301, "RDDD", '+', "-", "status-301"},
    {CURLE_OK, 304, "RDDD", '+', "-", "status-304"},
    {CURLE_OK, 400, "RDDD", '+', "-", "status-400"},
    {CURLE_OK, 404, "RDDD", '+', "-", "status-404"},
    {CURLE_OK, 499, "RDDD", '+', "-", "status-499"},
    {CURLE_OK, 100, "RDDD", '+', "-", "status-100"},
    {CURLE_OK, 410, "DDDD", '+', "-", "status-410"},
    {CURLE_COULDNT_RESOLVE_HOST, 0, "RRRD", '-', "resolve", "resolve"},
    {CURLE_COULDNT_CONNECT, 0, "RRRD", '-', "connect", "connect"},
    {CURLE_OPERATION_TIMEDOUT, 0, "RRRD", '-', "timeout", "timeout"},
    {CURLE_PEER_FAILED_VERIFICATION, 0, "RRRD", '-', "tls", "tls"},
    {CURLE_SSL_CONNECT_ERROR, 0, "RRRD", '-', "tls", "tls"},
    {CURLE_RECV_ERROR, 0, "RRRD", '-', "reset", "reset"},
    {CURLE_GOT_NOTHING, 0, "RRRD", '-', "reset", "reset"},
    {CURLE_UNSUPPORTED_PROTOCOL, 0, "RRRD", '-', "malformed", "malformed"},
    {CURLE_WEIRD_SERVER_REPLY, 0, "RRRD", '-', "malformed", "malformed"},
    {CURLE_OUT_OF_MEMORY, 0, "RRRD", '-', "too-large", "too-large"},
    /* CURLE_TOO_LARGE of libcurl 8.6 and later, whatever its header is here. */
    {100, 0, "RRRD", '-', "too-large", "too-large"},
    {CURLE_URL_MALFORMAT, 0, "DDDD", '-', "malformed", "malformed"},
    /* libcurl ended the transfer because of a header. */
    {CURLE_BAD_CONTENT_ENCODING, 200, "....", '+', "-", ""},
    {CURLE_BAD_CONTENT_ENCODING, 500, "RRRD", '-', "-", "status-500"},
    {CURLE_WEIRD_SERVER_REPLY, 204, "....", '+', "-", ""},
    {CURLE_WEIRD_SERVER_REPLY, 410, "DDDD", '+', "-", "status-410"},
    {CURLE_WEIRD_SERVER_REPLY, 103, "RRRD", '-', "malformed", "malformed"},
    {CURLE_BAD_CONTENT_ENCODING, 0, "RRRD", '-', "malformed", "malformed"},
    {CURLE_FILESIZE_EXCEEDED, 429, "RRRD", 'o', "-", "status-429"},
    /* The status of an incomplete response does not count. */
    {CURLE_OPERATION_TIMEDOUT, 200, "RRRD", '-', "timeout", "timeout"},
    {CURLE_PARTIAL_FILE, 200, "RRRD", '-', "reset", "reset"},
    {CURLE_RECV_ERROR, 410, "RRRD", '-', "reset", "reset"},
};

static enum job_disposition
disposition_of(char letter)
{
    return letter == '.' ? JOB_DELIVERED : letter == 'R' ? JOB_RETRY : JOB_DEAD;
}

static enum retry_evidence
evidence_of(char sign)
{
    return sign == '+'   ? RETRY_EVIDENCE_SUCCESS
           : sign == 'o' ? RETRY_EVIDENCE_OVERLOAD
                         : RETRY_EVIDENCE_FAILURE;
}

static void
check(const struct row *row, size_t index, int64_t attempts)
{
    struct retry_facts facts = {.code = row->code,
                                .status = row->status,
                                .attempts = attempts,
                                .random = NO_JITTER};
    struct retry_verdict verdict = retry_policy_classify(&delays, &facts);
    enum job_disposition wanted = disposition_of(row->dispositions[attempts]);

    if (verdict.disposition != wanted) {
        fail_msg("row %zu, attempt %d: disposition %d", index,
                 (int)attempts + 1, (int)verdict.disposition);
    }
    if (verdict.evidence != evidence_of(row->evidence)) {
        fail_msg("row %zu: evidence %d", index, (int)verdict.evidence);
    }
    assert_string_equal(verdict.error, row->error);
    assert_int_equal(verdict.status,
                     strcmp(row->error, "-") == 0 ? row->status : 0);
    if (wanted == JOB_DEAD) {
        assert_string_equal(verdict.reason, row->reason);
    }
    if (wanted == JOB_RETRY) {
        assert_int_equal(verdict.delay_ms, delays.s[attempts] * 1000);
    }
}

static void
test_every_row_at_every_attempt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int64_t attempts = 0; attempts < 4; attempts++) {
            check(&rows[i], i, attempts);
        }
    }
}

/* The head of the response has come; the code is not of its body. */
static void
test_a_response_is_judged_by_its_status(void **state)
{
    struct retry_facts facts = {.code = CURLE_OK, .status = 200};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DELIVERED);
    facts.status = 500;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_RETRY);
    assert_string_equal(retry_policy_classify(&delays, &facts).error, "-");
    assert_int_equal(retry_policy_classify(&delays, &facts).evidence,
                     RETRY_EVIDENCE_FAILURE);
}

/* A refused address is final, and shows nothing about the destination. */
static void
test_refused_address(void **state)
{
    struct retry_facts facts = {.code = CURLE_COULDNT_CONNECT,
                                .refusal = "it is private"};
    struct retry_verdict verdict = retry_policy_classify(&delays, &facts);

    (void)state;
    assert_int_equal(verdict.disposition, JOB_DEAD);
    assert_int_equal(verdict.evidence, RETRY_EVIDENCE_NONE);
    assert_string_equal(verdict.error, "refused");
    assert_string_equal(verdict.reason, "refused");
}

/* Only a response that is complete and no 2xx can ask for a pause. */
static void
test_retry_after_holds(void **state)
{
    struct retry_facts facts = {.code = CURLE_OK,
                                .status = 503,
                                .retry_after_ms = 9000,
                                .random = NO_JITTER};
    struct retry_verdict verdict = retry_policy_classify(&delays, &facts);

    (void)state;
    assert_int_equal(verdict.hold_ms, 9000);
    assert_int_equal(verdict.delay_ms, 9000);
    facts.retry_after_ms = 1000;
    verdict = retry_policy_classify(&delays, &facts);
    assert_int_equal(verdict.hold_ms, 1000);
    assert_int_equal(verdict.delay_ms, 5000);
    facts.status = 200;
    assert_int_equal(retry_policy_classify(&delays, &facts).hold_ms, 0);
    facts.code = CURLE_PARTIAL_FILE;
    assert_int_equal(retry_policy_classify(&delays, &facts).hold_ms, 0);
}

static void
test_headers_without_end_are_no_response(void **state)
{
    struct retry_facts facts = {
        .code = CURLE_WRITE_ERROR, .status = 200, .head_cut = true};
    struct retry_verdict verdict = retry_policy_classify(&delays, &facts);

    (void)state;
    assert_int_equal(verdict.disposition, JOB_RETRY);
    assert_int_equal(verdict.status, 0);
    assert_string_equal(verdict.error, "too-large");
}

static void
test_delays_spread_by_a_fifth(void **state)
{
    struct retry_facts facts = {.code = CURLE_COULDNT_CONNECT};
    int64_t shortest_ms = INT64_MAX;
    int64_t longest_ms = 0;

    (void)state;
    for (facts.random = 0; facts.random < 1000; facts.random++) {
        int64_t delay_ms = retry_policy_classify(&delays, &facts).delay_ms;

        shortest_ms = delay_ms < shortest_ms ? delay_ms : shortest_ms;
        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
    }
    assert_int_equal(shortest_ms, 4000);
    assert_int_equal(longest_ms, 6000);
    facts.random = UINT32_MAX;
    assert_in_range(retry_policy_classify(&delays, &facts).delay_ms, 4000,
                    6000);
}

static void
test_without_delays_there_is_one_attempt(void **state)
{
    static const struct option_delays none = {0};
    struct retry_facts facts = {.code = CURLE_OK, .status = 500};

    (void)state;
    assert_int_equal(retry_policy_classify(&none, &facts).disposition,
                     JOB_DEAD);
    facts.status = 404;
    assert_int_equal(retry_policy_classify(&none, &facts).disposition,
                     JOB_DEAD);
    facts.status = 200;
    assert_int_equal(retry_policy_classify(&none, &facts).disposition,
                     JOB_DELIVERED);
}

/* Each lease that runs out counts as an attempt, beyond the schedule. */
static void
test_more_attempts_than_scheduled(void **state)
{
    struct retry_facts facts = {
        .code = CURLE_OK, .status = 500, .attempts = 40};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DEAD);
    assert_false(retry_policy_is_hopeless(&delays, 3 + RETRY_POLICY_CRASHES));
    assert_true(retry_policy_is_hopeless(&delays, 4 + RETRY_POLICY_CRASHES));
}

/* Even a last attempt is not used up if this host has no resources. */
static void
test_no_resources_is_no_attempt(void **state)
{
    struct retry_facts facts = {
        .code = CURLE_COULDNT_CONNECT, .no_resources = EMFILE, .attempts = 3};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_RETURN);
    assert_int_equal(retry_policy_classify(&delays, &facts).evidence,
                     RETRY_EVIDENCE_NONE);
    assert_int_equal(retry_policy_classify(&delays, &facts).no_resources,
                     EMFILE);
    facts.no_resources = 0;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DEAD);
}

/* It is returned as often as it may be sent, later each time. */
static void
test_no_resources_does_not_last_for_ever(void **state)
{
    static const struct option_delays many = {.count = 9, .s = {5}};
    static const int64_t wanted_ms[] = {1000,  2000,  4000,  8000,  16000,
                                        32000, 60000, 60000, 60000, 60000};
    struct retry_facts facts = {.code = CURLE_COULDNT_CONNECT,
                                .no_resources = EMFILE};
    struct retry_verdict verdict;

    (void)state;
    for (facts.returned = 0; facts.returned < 10; facts.returned++) {
        verdict = retry_policy_classify(&many, &facts);
        assert_int_equal(verdict.disposition, JOB_RETURN);
        assert_int_equal(verdict.delay_ms, wanted_ms[facts.returned]);
        assert_string_equal(verdict.error, "starved");
        assert_string_equal(verdict.reason, "starved");
    }
    assert_int_equal(retry_policy_classify(&many, &facts).disposition,
                     JOB_RETRY);
    facts.attempts = 9;
    verdict = retry_policy_classify(&many, &facts);
    assert_int_equal(verdict.disposition, JOB_DEAD);
    assert_string_equal(verdict.reason, "starved");
}

static const struct retry_after_row {
    const char *value;
    int64_t now_s;
    int64_t wait_ms;
} retry_after_rows[] = {
    {"0", 0, 0},
    {"1", 0, 1000},
    {"120", 0, 120000},
    {" 120\t", 0, 120000},
    {"120\r\n", 0, 120000},
    {"007", 0, 7000},
    {"3599", 0, 3599000},
    {"3600", 0, RETRY_AFTER_MAX_MS},
    {"3601", 0, RETRY_AFTER_MAX_MS},
    {"1000000000", 0, RETRY_AFTER_MAX_MS},
    {"99999999999999999999999999999999999999", 0, RETRY_AFTER_MAX_MS},

    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S - 10, 10000},
    {"Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE_S - 10, 10000},
    {"Sun Nov  6 08:49:37 1994", EXAMPLE_S - 10, 10000},
    {" Sun, 06 Nov 1994 08:49:37 GMT\r\n", EXAMPLE_S - 10, 10000},
    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S + 10, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0, RETRY_AFTER_MAX_MS},
    {"Fri, 31 Dec 9999 23:59:59 GMT", EXAMPLE_S, RETRY_AFTER_MAX_MS},
    {"Mon, 01 Jan 0001 00:00:00 GMT", EXAMPLE_S, 0},

    {"", 0, -1},
    {" ", 0, -1},
    {"soon", 0, -1},
    {"-1", 0, -1},
    {"+1", 0, -1},
    {"1.5", 0, -1},
    {"1e3", 0, -1},
    {"0x10", 0, -1},
    {"1 2", 0, -1},
    {"120s", 0, -1},
    {"120, 60", 0, -1},
    {"\xC3\xA9", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37 CET", 0, -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT x", 0, -1},
    {"Sun, 06 Foo 1994 08:49:37 GMT", 0, -1},
    {"Sun, 42 Nov 1994 08:49:37 GMT", 0, -1},
    {"Sun, 06 Nov 1994 25:49:37 GMT", 0, -1},
    {"1994-11-06T08:49:37Z", 0, -1},
};

static void
test_retry_after(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0;
         i < sizeof(retry_after_rows) / sizeof(retry_after_rows[0]); i++) {
        const struct retry_after_row *row = &retry_after_rows[i];
        int64_t wait_ms = retry_after_ms(row->value, row->now_s);

        if (wait_ms != row->wait_ms) {
            print_error("\"%s\": %lld\n", row->value, (long long)wait_ms);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* Any response reaches it; no connection, TLS or response in time does not. */
static void
test_reach(void **state)
{
    static const struct {
        CURLcode code;
        long status;
        enum retry_reach reach;
    } reaches[] = {
        {CURLE_OK, 200, RETRY_REACH_ANSWERED},
        {CURLE_OK, 503, RETRY_REACH_ANSWERED},
        {CURLE_OPERATION_TIMEDOUT, 200, RETRY_REACH_ANSWERED},
        {CURLE_OPERATION_TIMEDOUT, 0, RETRY_REACH_LOST},
        {CURLE_COULDNT_CONNECT, 0, RETRY_REACH_LOST},
        {CURLE_PEER_FAILED_VERIFICATION, 0, RETRY_REACH_LOST},
        {CURLE_COULDNT_RESOLVE_HOST, 0, RETRY_REACH_UNKNOWN},
        {CURLE_RECV_ERROR, 0, RETRY_REACH_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
        struct retry_facts facts = {.code = reaches[i].code,
                                    .status = reaches[i].status};

        if (retry_policy_classify(&delays, &facts).reach != reaches[i].reach) {
            fail_msg("row %zu", i);
        }
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_every_row_at_every_attempt),
        cmocka_unit_test(test_a_response_is_judged_by_its_status),
        cmocka_unit_test(test_refused_address),
        cmocka_unit_test(test_retry_after_holds),
        cmocka_unit_test(test_headers_without_end_are_no_response),
        cmocka_unit_test(test_delays_spread_by_a_fifth),
        cmocka_unit_test(test_without_delays_there_is_one_attempt),
        cmocka_unit_test(test_more_attempts_than_scheduled),
        cmocka_unit_test(test_no_resources_is_no_attempt),
        cmocka_unit_test(test_no_resources_does_not_last_for_ever),
        cmocka_unit_test(test_retry_after),
    };

    return cmocka_run_group_tests_name("retry_policy", tests, NULL, NULL);
}
