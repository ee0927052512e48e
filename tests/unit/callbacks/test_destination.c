/*
 * test_destination: the limit of attempts at a time, pauses, when jobs may be
 * retried, and the cost of an attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "callbacks/destination.h"
#include "callbacks/retry_after.h"

enum { NOW_MS = 1000000, MOST = 64 };

static const struct destination_news well = {.result = DESTINATION_WELL};
static const struct destination_news failed = {.result = DESTINATION_FAILED};
static const struct destination_news strained = {.result =
                                                     DESTINATION_STRAINED};

static const struct destination_news untried = {.result =
                                                    DESTINATION_NO_EVIDENCE};

static void
end(struct destination_ticket ticket, const struct destination_news *news,
    int64_t now_ms)
{
    destination_end(&ticket, news, now_ms);
}

/* As many attempts as the limit allows, which start and end together. */
static void
fill(struct destination *destination, const struct destination_news *news,
     int64_t now_ms)
{
    struct destination_ticket tickets[MOST];
    size_t count = 0;

    while (destination_is_free(destination, now_ms)) {
        tickets[count++] = destination_start(destination, now_ms);
    }
    while (count > 0) {
        end(tickets[--count], news, now_ms);
    }
}

static void
test_limit(void **state)
{
    struct destination *destination = destination_open("o", MOST);
    int64_t now_ms = NOW_MS;

    (void)state;
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    for (int i = 0; i < 10; i++) {
        fill(destination, &well, now_ms++);
    }
    assert_int_equal(destination->limit, MOST);

    /* Failures that end together halve the limit once. */
    fill(destination, &strained, now_ms++);
    assert_int_equal(destination->limit, MOST / 2);
    fill(destination, &well, now_ms++);
    fill(destination, &strained, now_ms++);
    assert_int_equal(destination->limit, MOST / 4);

    /* From now on `limit` successes raise the limit by one. */
    fill(destination, &well, now_ms++);
    assert_int_equal(destination->limit, MOST / 4);
    fill(destination, &well, now_ms++);
    assert_int_equal(destination->limit, MOST / 4 + 1);
    for (int i = 0; i < 9; i++) {
        end(destination_start(destination, now_ms), &failed, now_ms);
        now_ms++;
    }
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

/* A limit that is not used does not grow. */
static void
test_unused_limit(void **state)
{
    struct destination *destination = destination_open("o", MOST);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        end(destination_start(destination, NOW_MS), &well, NOW_MS);
    }
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    destination_close(destination);

    destination = destination_open("o", 1);
    for (int i = 0; i < 100; i++) {
        fill(destination, &well, NOW_MS);
    }
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

/* Attempts that were under way when the limit was halved do not halve it again.
 */
static void
test_halved_once(void **state)
{
    struct destination *destination = destination_open("o", MOST);
    struct destination_ticket first;
    struct destination_ticket second;

    (void)state;
    first = destination_start(destination, NOW_MS);
    second = destination_start(destination, NOW_MS + 1);
    end(first, &failed, NOW_MS + 1000);
    assert_int_equal(destination->limit, 2);
    end(second, &failed, NOW_MS + 1500);
    assert_int_equal(destination->limit, 2);
    end(destination_start(destination, NOW_MS + 1600), &failed, NOW_MS + 1700);
    assert_int_equal(destination->limit, 1);
    destination_close(destination);
}

static void
test_untried(void **state)
{
    struct destination *destination = destination_open("o", MOST);

    (void)state;
    for (int i = 0; i < 100; i++) {
        end(destination_start(destination, NOW_MS), &untried, NOW_MS + 60000);
    }
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    assert_int_equal(destination->under_way, 0);
    assert_int_equal(destination->took_us, 0);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 0);
    destination_close(destination);
}

/* Retry-After: the longest time counts, up to an hour. */
static void
test_hold(void **state)
{
    struct destination *destination = destination_open("o", MOST);
    struct destination_news news = {.result = DESTINATION_STRAINED,
                                    .retry_after_ms = 5000};

    (void)state;
    end(destination_start(destination, NOW_MS), &news, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 5000);
    assert_false(destination_is_free(destination, NOW_MS + 4999));
    assert_true(destination_is_free(destination, NOW_MS + 5000));
    assert_int_equal(destination_blocked_ms(destination, NOW_MS + 5000), 0);

    news.retry_after_ms = 2000;
    end(destination_start(destination, NOW_MS), &news, NOW_MS);
    news.retry_after_ms = 0;
    end(destination_start(destination, NOW_MS), &news, NOW_MS);
    news.retry_after_ms = -1;
    end(destination_start(destination, NOW_MS), &news, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS), 5000);

    news.retry_after_ms = INT64_MAX / 2;
    end(destination_start(destination, NOW_MS), &news, NOW_MS);
    assert_int_equal(destination_blocked_ms(destination, NOW_MS),
                     RETRY_AFTER_MAX_MS);
    destination_close(destination);
}

/* Jobs are retried once the pause is over, but not all at once. */
static void
test_retry_blocked(void **state)
{
    struct destination *destination = destination_open("o", MOST);
    int64_t retry_ms = 0;

    (void)state;
    for (int i = 0; i < CIRCUIT_BREAKER_ROW; i++) {
        end(destination_start(destination, NOW_MS), &failed, NOW_MS);
    }
    assert_int_equal(destination_blocked_ms(destination, NOW_MS),
                     CIRCUIT_BREAKER_OPEN_MS);
    assert_int_equal(destination_retry_ms(destination, 300000, NOW_MS),
                     CIRCUIT_BREAKER_OPEN_MS);
    for (int i = 1; i < 100000; i++) {
        int64_t again_ms = destination_retry_ms(destination, 300000, NOW_MS);

        assert_in_range(again_ms, retry_ms, retry_ms + CIRCUIT_BREAKER_OPEN_MS);
        retry_ms = again_ms;
    }
    /* At most 2,000 a second. */
    assert_in_range(retry_ms, CIRCUIT_BREAKER_OPEN_MS + 49000,
                    CIRCUIT_BREAKER_OPEN_MS + 51000);
    /* But never very late. */
    for (int i = 0; i < 3000000; i++) {
        assert_true(destination_retry_ms(destination, 300000, NOW_MS) <=
                    CIRCUIT_BREAKER_OPEN_MS + 300000);
    }
    destination_close(destination);
}

/* Jobs without a place are retried at the pace of the destination. */
static void
test_retry_in_line(void **state)
{
    struct destination *destination = destination_open("o", MOST);
    struct job *job = calloc(1, sizeof(*job));

    (void)state;
    destination_push(destination, job);
    for (int i = 0; i < 100; i++) {
        fill(destination, &well, NOW_MS);
    }
    /* 64 at once, each of 640 ms. */
    destination->took_us = 640000;
    destination->outside = 0;
    assert_int_equal(destination_backlog_ms(destination), 10);
    assert_int_equal(destination_retry_ms(destination, 300000, NOW_MS), 20);
    for (int i = 1; i < 100; i++) {
        assert_int_equal(destination_retry_ms(destination, 300000, NOW_MS),
                         20 + i * 10);
    }
    /* A job that returns again and again makes the line no longer. */
    for (int i = 0; i < 1000; i++) {
        destination_came_again(destination);
        assert_int_equal(destination_retry_ms(destination, 300000, NOW_MS),
                         20 + 99 * 10);
    }
    /* If the destination has free places, they are retried sooner. */
    assert_ptr_equal(destination_pop(destination), job);
    end(destination_start(destination, NOW_MS), &untried, NOW_MS);
    assert_int_equal(destination_retry_ms(destination, 300000, NOW_MS),
                     20 + 50 * 10);
    free(job);
    destination_close(destination);
}

/* If the limit is still growing, jobs are not retried late. */
static void
test_retry_of_one_hardly_known(void **state)
{
    struct destination *destination = destination_open("o", MOST);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(destination_retry_ms(destination, 300000, NOW_MS) < 1000);
    }
    end(destination_start(destination, NOW_MS), &well, NOW_MS + 500);
    destination->outside = 1000;
    assert_in_range(destination_retry_ms(destination, 300000, NOW_MS), 7000,
                    9000);
    destination_close(destination);
}

static void
test_cost(void **state)
{
    struct destination *destination = destination_open("o", MOST);

    (void)state;
    assert_int_equal(destination_cost(destination), 1);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &well, NOW_MS + 20);
    }
    assert_int_equal(destination_cost(destination), 1);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &well, NOW_MS + 270);
    }
    assert_int_equal(destination_cost(destination), 6);
    for (int i = 0; i < 50; i++) {
        end(destination_start(destination, NOW_MS), &well, NOW_MS + 60000);
    }
    assert_int_equal(destination_cost(destination), DESTINATION_COST_MAX);
    destination_close(destination);
}

static void
test_judge(void **state)
{
    (void)state;
    assert_int_equal(destination_classify(0), DESTINATION_FAILED);
    assert_int_equal(destination_classify(200), DESTINATION_WELL);
    assert_int_equal(destination_classify(302), DESTINATION_WELL);
    assert_int_equal(destination_classify(410), DESTINATION_WELL);
    assert_int_equal(destination_classify(429), DESTINATION_STRAINED);
    assert_int_equal(destination_classify(500), DESTINATION_FAILED);
    assert_int_equal(destination_classify(599), DESTINATION_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_unused_limit),
        cmocka_unit_test(test_halved_once),
        cmocka_unit_test(test_untried),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_retry_blocked),
        cmocka_unit_test(test_retry_in_line),
        cmocka_unit_test(test_retry_of_one_hardly_known),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_judge),
    };

    return cmocka_run_group_tests_name("destination", tests, NULL, NULL);
}
