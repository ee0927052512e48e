/*
 * test_destination: its origin, limit, block and cost, and the time at which
 * returned jobs are claimed again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/destination.h"
#include "callbacks/retry_policy.h"

enum { NOW_MS = 1000000, MAX_LIMIT = 64 };

static const struct retry_verdict success = {.evidence =
                                                 RETRY_EVIDENCE_SUCCESS};
static const struct retry_verdict failure = {.evidence =
                                                 RETRY_EVIDENCE_FAILURE};
static const struct retry_verdict overload = {.evidence =
                                                  RETRY_EVIDENCE_OVERLOAD};
static const struct retry_verdict untried = {.evidence = RETRY_EVIDENCE_NONE};

static void
end(struct destination_ticket ticket, const struct retry_verdict *verdict,
    int64_t now_ms)
{
    destination_end(&ticket, verdict, now_ms);
}

/* Starts as many attempts as may start, and ends them together. */
static void
fill(struct destination *destination, const struct retry_verdict *verdict,
     int64_t now_ms)
{
    struct destination_ticket tickets[MAX_LIMIT];
    size_t count = 0;

    while (destination_may_start(destination, now_ms)) {
        tickets[count++] = destination_start(destination, now_ms);
    }
    while (count > 0) {
        end(tickets[--count], verdict, now_ms);
    }
}

static const struct origin_row {
    const char *url;
    const char *origin;
} origin_rows[] = {
    {"http://h", "http://h:80"},
    {"http://h/", "http://h:80"},
    {"HTTP://H/P", "http://h:80"},
    {"https://h", "https://h:443"},
    {"hTTpS://h?q", "https://h:443"},
    {"http://h:80/", "http://h:80"},
    {"http://h:080/", "http://h:80"},
    {"http://h:/", "http://h:80"},
    {"https://h:/", "https://h:443"},
    {"https://h:80/", "https://h:80"},
    {"http://h:65535?a:1", "http://h:65535"},
    {"http://h#a/b:1", "http://h:80"},
    {"http://h1/", "http://h1:80"},
    {"http://10.0.0.1", "http://10.0.0.1:80"},
    {"http://10.0.0.1:8080/x?http://y:1/", "http://10.0.0.1:8080"},
    {"http://[::1]", "http://[::1]:80"},
    {"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"},

    /* Not valid endpoints. */
    {"", "://:80"},
    {"h", "://h:80"},
    {"http://", "http://:80"},
    {"http://:1", "http://:1"},
    {"http://h:99999999999999999999/", "http://h:80"},
};

static void
test_origins(void **state)
{
    char origin[DESTINATION_ORIGIN_SIZE];
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(origin_rows) / sizeof(origin_rows[0]); i++) {
        destination_read_origin(origin_rows[i].url, origin);
        if (strcmp(origin, origin_rows[i].origin) != 0) {
            print_error("\"%s\": \"%s\"\n", origin_rows[i].url, origin);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* The longest endpoint keeps its port; a longer text is cut. */
static void
test_long_origin(void **state)
{
    char url[2 * ENDPOINT_URL_MAX_BYTES] = "http://";
    char origin[DESTINATION_ORIGIN_SIZE];

    (void)state;
    memset(url + 7, 'a', ENDPOINT_URL_MAX_BYTES - 7);
    destination_read_origin(url, origin);
    assert_string_equal(origin + ENDPOINT_URL_MAX_BYTES, ":80");
    memset(url + 7, 'a', sizeof(url) - 8);
    destination_read_origin(url, origin);
    assert_int_equal(strlen(origin), DESTINATION_ORIGIN_SIZE - 1);
}

static void
test_limit(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);
    int64_t now_ms = NOW_MS;

    (void)state;
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    for (int i = 0; i < 10; i++) {
        fill(destination, &success, now_ms++);
    }
    assert_int_equal(destination->limit, MAX_LIMIT);

    /* Attempts that end together halve it once. */
    fill(destination, &overload, now_ms++);
    assert_int_equal(destination->limit, MAX_LIMIT / 2);
    fill(destination, &success, now_ms++);
    fill(destination, &overload, now_ms++);
    assert_int_equal(destination->limit, MAX_LIMIT / 4);

    /* From now on it grows by 1 for as many successes as it is. */
    fill(destination, &success, now_ms++);
    assert_int_equal(destination->limit, MAX_LIMIT / 4);
    fill(destination, &success, now_ms++);
    assert_int_equal(destination->limit, MAX_LIMIT / 4 + 1);
    for (int i = 0; i < 9; i++) {
        end(destination_start(destination, now_ms), &failure, now_ms);
        now_ms++;
    }
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

/* A limit that is not used does not grow. */
static void
test_unused_limit(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        end(destination_start(destination, NOW_MS), &success, NOW_MS);
    }
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    destination_close(destination);

    destination = destination_open("o", 1);
    for (int i = 0; i < 100; i++) {
        fill(destination, &success, NOW_MS);
    }
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

/* Attempts that were under way when it was halved do not halve it again. */
static void
test_halved_once(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);
    struct destination_ticket first;
    struct destination_ticket second;

    (void)state;
    first = destination_start(destination, NOW_MS);
    second = destination_start(destination, NOW_MS + 1);
    end(first, &failure, NOW_MS + 1000);
    assert_int_equal(destination->limit, 2);
    end(second, &failure, NOW_MS + 1500);
    assert_int_equal(destination->limit, 2);
    end(destination_start(destination, NOW_MS + 1600), &failure, NOW_MS + 1700);
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

static void
test_untried(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);

    (void)state;
    for (int i = 0; i < 100; i++) {
        end(destination_start(destination, NOW_MS), &untried, NOW_MS + 60000);
    }
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    assert_int_equal(destination->under_way, 0);
    assert_int_equal(destination->duration_us, 0);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 0);
    destination_close(destination);
}

/* Retry-After: the longest counts. */
static void
test_hold(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);
    struct retry_verdict verdict = {.evidence = RETRY_EVIDENCE_OVERLOAD,
                                    .hold_ms = 5000};

    (void)state;
    end(destination_start(destination, NOW_MS), &verdict, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 5000);
    assert_false(destination_may_start(destination, NOW_MS + 4999));
    assert_true(destination_may_start(destination, NOW_MS + 5000));
    assert_int_equal(destination_blocked_ms(destination, NOW_MS + 5000), 0);

    verdict.hold_ms = 2000;
    end(destination_start(destination, NOW_MS), &verdict, NOW_MS);
    verdict.hold_ms = 0;
    end(destination_start(destination, NOW_MS), &verdict, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 5000);
    verdict.hold_ms = 7000;
    end(destination_start(destination, NOW_MS), &verdict, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 7000);
    destination_close(destination);
}

/* A job that goes back to Redis with its verdict is counted there. */
static void
test_jobs_in_redis(void **state)
{
    static const struct row {
        enum job_disposition disposition;
        size_t in_redis;
    } rows[] = {
        {JOB_DELIVERED, 0}, {JOB_DEAD, 0}, {JOB_RETRY, 1}, {JOB_RETURN, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct destination *destination = destination_open("o", MAX_LIMIT);
        struct retry_verdict verdict = {.disposition = rows[i].disposition};

        destination_push(destination, calloc(1, sizeof(struct job)));
        end(destination_start(destination, NOW_MS), &verdict, NOW_MS);
        assert_int_equal(destination->in_redis, rows[i].in_redis);
        destination_close(destination);
    }
}

/* Returned jobs are claimed when it may be called again, not all at once. */
static void
test_retry_blocked(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);
    int64_t retry_ms = 0;

    (void)state;
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        end(destination_start(destination, NOW_MS), &failure, NOW_MS);
    }
    assert_int_equal(destination_blocked_ms(destination, NOW_MS),
                     CIRCUIT_BREAKER_OPEN_MS);
    assert_int_equal(destination_return_job(destination, 300000, NOW_MS),
                     CIRCUIT_BREAKER_OPEN_MS);
    for (int i = 1; i < 100000; i++) {
        int64_t again_ms = destination_return_job(destination, 300000, NOW_MS);

        assert_in_range(again_ms, retry_ms, retry_ms + CIRCUIT_BREAKER_OPEN_MS);
        retry_ms = again_ms;
    }
    /* At most 2,000 of them per second. */
    assert_in_range(retry_ms, CIRCUIT_BREAKER_OPEN_MS + 49000,
                    CIRCUIT_BREAKER_OPEN_MS + 51000);
    /* And none very late. */
    for (int i = 0; i < 3000000; i++) {
        assert_true(destination_return_job(destination, 300000, NOW_MS) <=
                    CIRCUIT_BREAKER_OPEN_MS + 300000);
    }
    destination_close(destination);
}

/* Jobs without a place are claimed one after the other, at its pace. */
static void
test_retry_in_line(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);
    struct job *job = calloc(1, sizeof(*job));

    (void)state;
    destination_push(destination, job);
    for (int i = 0; i < 100; i++) {
        fill(destination, &success, NOW_MS);
    }
    /* 64 at once, each of 640 ms. */
    destination->duration_us = 640000;
    destination->in_redis = 0;
    assert_int_equal(destination_backlog_ms(destination), 10);
    assert_int_equal(destination_return_job(destination, 300000, NOW_MS), 20);
    for (int i = 1; i < 100; i++) {
        assert_int_equal(destination_return_job(destination, 300000, NOW_MS),
                         20 + i * 10);
    }
    /* If a job goes to and fro, the line gets no longer. */
    for (int i = 0; i < 1000; i++) {
        destination_reclaim_job(destination);
        assert_int_equal(destination_return_job(destination, 300000, NOW_MS),
                         20 + 99 * 10);
    }
    /* If it has no jobs left, they come earlier. */
    assert_ptr_equal(destination_pop(destination), job);
    end(destination_start(destination, NOW_MS), &untried, NOW_MS);
    assert_int_equal(destination_return_job(destination, 300000, NOW_MS),
                     20 + 50 * 10);
    free(job);
    destination_close(destination);
}

/* While its limit still grows, jobs come early. */
static void
test_retry_of_one_hardly_known(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(destination_return_job(destination, 300000, NOW_MS) < 1000);
    }
    end(destination_start(destination, NOW_MS), &success, NOW_MS + 500);
    destination->in_redis = 1000;
    assert_in_range(destination_return_job(destination, 300000, NOW_MS), 7000,
                    9000);
    destination_close(destination);
}

static void
test_cost(void **state)
{
    struct destination *destination = destination_open("o", MAX_LIMIT);

    (void)state;
    assert_int_equal(destination_cost(destination), 1);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &success, NOW_MS + 20);
    }
    assert_int_equal(destination_cost(destination), 1);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &success, NOW_MS + 270);
    }
    assert_int_equal(destination_cost(destination), 6);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &success, NOW_MS + 60000);
    }
    assert_int_equal(destination_cost(destination), DESTINATION_COST_MAX);
    destination_close(destination);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_long_origin),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_unused_limit),
        cmocka_unit_test(test_halved_once),
        cmocka_unit_test(test_untried),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_jobs_in_redis),
        cmocka_unit_test(test_retry_blocked),
        cmocka_unit_test(test_retry_in_line),
        cmocka_unit_test(test_retry_of_one_hardly_known),
        cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests_name("destination", tests, NULL, NULL);
}
