/*
 * test_retry_policy: what happens to a job after each result of an attempt.
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

/* A random number that does not change a delay. */
enum { EVEN = 200 };

/* A row: attempt 1, 2, 3 and 4 each end like this. R: retry, D: dead. */
struct row {
    CURLcode code;
    long status;
    const char *dispositions;
    const char *error;
    const char *reason;
};

static const struct row rows[] = {
    {CURLE_OK, 200, "....", "-", ""},
    {CURLE_OK, 204, "....", "-", ""},
    {CURLE_OK, 299, "....", "-", ""},
    {CURLE_OK, 500, "RRRD", "-", "status-500"},
    {CURLE_OK, 503, "RRRD", "-", "status-503"},
    {CURLE_OK, 599, "RRRD", "-", "status-599"},
    {CURLE_OK, 999, "RRRD", "-", "status-999"},
    {CURLE_OK, 408, "RRRD", "-", "status-408"},
    {CURLE_OK, 425, "RRRD", "-", "status-425"},
    {CURLE_OK, 429, "RRRD", "-", "status-429"},
    {CURLE_OK, 301, "RDDD", "-", "status-301"},
    {CURLE_OK, 304, "RDDD", "-", "status-304"},
    {CURLE_OK, 400, "RDDD", "-", "status-400"},
    {CURLE_OK, 404, "RDDD", "-", "status-404"},
    {CURLE_OK, 499, "RDDD", "-", "status-499"},
    {CURLE_OK, 100, "RDDD", "-", "status-100"},
    {CURLE_OK, 410, "DDDD", "-", "status-410"},
    {CURLE_COULDNT_RESOLVE_HOST, 0, "RRRD", "resolve", "resolve"},
    {CURLE_COULDNT_CONNECT, 0, "RRRD", "connect", "connect"},
    {CURLE_OPERATION_TIMEDOUT, 0, "RRRD", "timeout", "timeout"},
    {CURLE_PEER_FAILED_VERIFICATION, 0, "RRRD", "tls", "tls"},
    {CURLE_SSL_CONNECT_ERROR, 0, "RRRD", "tls", "tls"},
    {CURLE_RECV_ERROR, 0, "RRRD", "reset", "reset"},
    {CURLE_GOT_NOTHING, 0, "RRRD", "reset", "reset"},
    {CURLE_UNSUPPORTED_PROTOCOL, 0, "RRRD", "malformed", "malformed"},
    {CURLE_WEIRD_SERVER_REPLY, 0, "RRRD", "malformed", "malformed"},
    {CURLE_OUT_OF_MEMORY, 0, "RRRD", "too-large", "too-large"},
#if LIBCURL_VERSION_NUM >= 0x080600
    {CURLE_TOO_LARGE, 0, "RRRD", "too-large", "too-large"},
#endif
    {CURLE_URL_MALFORMAT, 0, "DDDD", "malformed", "malformed"},
    /* The status of an incomplete response does not count. */
    {CURLE_OPERATION_TIMEDOUT, 200, "RRRD", "timeout", "timeout"},
    {CURLE_PARTIAL_FILE, 200, "RRRD", "reset", "reset"},
    {CURLE_RECV_ERROR, 410, "RRRD", "reset", "reset"},
};

static enum job_disposition
disposition_of(char letter)
{
    return letter == '.' ? JOB_DELIVERED : letter == 'R' ? JOB_RETRY : JOB_DEAD;
}

static void
check(const struct row *row, size_t index, int64_t attempts)
{
    struct retry_policy_facts facts = {.code = row->code,
                                       .status = row->status,
                                       .attempts = attempts,
                                       .random = EVEN};
    struct retry_policy outcome = retry_policy_classify(&delays, &facts);
    enum job_disposition wanted = disposition_of(row->dispositions[attempts]);

    if (outcome.disposition != wanted) {
        fail_msg("row %zu, attempt %d: fate %d", index, (int)attempts + 1,
                 (int)outcome.disposition);
    }
    assert_string_equal(outcome.error, row->error);
    assert_int_equal(outcome.status,
                     strcmp(row->error, "-") == 0 ? row->status : 0);
    if (wanted == JOB_DEAD) {
        assert_string_equal(outcome.reason, row->reason);
    }
    if (wanted == JOB_RETRY) {
        assert_int_equal(outcome.delay_ms, delays.s[attempts] * 1000);
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

static void
test_a_body_that_we_cut_is_judged_by_its_status(void **state)
{
    struct retry_policy_facts facts = {
        .code = CURLE_WRITE_ERROR, .status = 200, .body_cut = true};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DELIVERED);
    facts.status = 500;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_RETRY);
    assert_string_equal(retry_policy_classify(&delays, &facts).error, "-");
}

static void
test_headers_without_end_are_no_response(void **state)
{
    struct retry_policy_facts facts = {
        .code = CURLE_WRITE_ERROR, .status = 200, .head_cut = true};
    struct retry_policy outcome = retry_policy_classify(&delays, &facts);

    (void)state;
    assert_int_equal(outcome.disposition, JOB_RETRY);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.error, "too-large");
}

static void
test_delays_spread_by_a_fifth(void **state)
{
    struct retry_policy_facts facts = {.code = CURLE_COULDNT_CONNECT};
    int64_t least = INT64_MAX;
    int64_t most = 0;

    (void)state;
    for (facts.random = 0; facts.random < 1000; facts.random++) {
        int64_t delay_ms = retry_policy_classify(&delays, &facts).delay_ms;

        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 4000);
    assert_int_equal(most, 6000);
    facts.random = UINT32_MAX;
    assert_in_range(retry_policy_classify(&delays, &facts).delay_ms, 4000,
                    6000);
}

static void
test_without_delays_there_is_one_attempt(void **state)
{
    static const struct option_delays none = {0};
    struct retry_policy_facts facts = {.code = CURLE_OK, .status = 500};

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

/* If leases ran out, a job can have more attempts than there are delays. */
static void
test_more_attempts_than_scheduled(void **state)
{
    struct retry_policy_facts facts = {
        .code = CURLE_OK, .status = 500, .attempts = 40};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DEAD);
    assert_false(retry_policy_is_hopeless(&delays, 3 + RETRY_POLICY_CRASHES));
    assert_true(retry_policy_is_hopeless(&delays, 4 + RETRY_POLICY_CRASHES));
}

/* If we lack resources, even the last attempt is not used. */
static void
test_our_own_want_is_no_attempt(void **state)
{
    struct retry_policy_facts facts = {
        .code = CURLE_COULDNT_CONNECT, .no_resources = EMFILE, .attempts = 3};

    (void)state;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_RETURN);
    facts.no_resources = 0;
    assert_int_equal(retry_policy_classify(&delays, &facts).disposition,
                     JOB_DEAD);
}

/* The job is returned as often as it may be sent, later each time. */
static void
test_our_own_want_does_not_last_for_ever(void **state)
{
    static const struct option_delays many = {.count = 9, .s = {5}};
    static const int64_t wanted_ms[] = {1000,  2000,  4000,  8000,  16000,
                                        32000, 60000, 60000, 60000, 60000};
    struct retry_policy_facts facts = {.code = CURLE_COULDNT_CONNECT,
                                       .no_resources = EMFILE};
    struct retry_policy outcome;

    (void)state;
    for (facts.returned = 0; facts.returned < 10; facts.returned++) {
        outcome = retry_policy_classify(&many, &facts);
        assert_int_equal(outcome.disposition, JOB_RETURN);
        assert_int_equal(outcome.delay_ms, wanted_ms[facts.returned]);
        assert_string_equal(outcome.error, "starved");
        assert_string_equal(outcome.reason, "starved");
    }
    assert_int_equal(retry_policy_classify(&many, &facts).disposition,
                     JOB_RETRY);
    facts.attempts = 9;
    outcome = retry_policy_classify(&many, &facts);
    assert_int_equal(outcome.disposition, JOB_DEAD);
    assert_string_equal(outcome.reason, "starved");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_at_every_attempt),
        cmocka_unit_test(test_a_body_that_we_cut_is_judged_by_its_status),
        cmocka_unit_test(test_headers_without_end_are_no_response),
        cmocka_unit_test(test_delays_spread_by_a_fifth),
        cmocka_unit_test(test_without_delays_there_is_one_attempt),
        cmocka_unit_test(test_more_attempts_than_scheduled),
        cmocka_unit_test(test_our_own_want_is_no_attempt),
        cmocka_unit_test(test_our_own_want_does_not_last_for_ever),
    };

    return cmocka_run_group_tests_name("retry_policy", tests, NULL, NULL);
}
