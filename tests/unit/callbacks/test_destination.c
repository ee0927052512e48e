/*
 * test_destination: its limit, block, cost and room.
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
static const struct retry_verdict failure = {.evidence = RETRY_EVIDENCE_FAILURE,
                                             .scope = RETRY_SCOPE_HOST};
static const struct retry_verdict overload = {.evidence =
                                                  RETRY_EVIDENCE_OVERLOAD};
static const struct retry_verdict untried = {.evidence = RETRY_EVIDENCE_NONE};

/* A destination that has answered. */
static struct destination *
open_proven(size_t max_limit)
{
    struct destination *destination = destination_open("o", max_limit);

    destination->proven = true;
    return destination;
}

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

static void
test_limit(void **state)
{
    struct destination *destination = open_proven(MAX_LIMIT);
    int64_t now_ms = NOW_MS;

    (void)state;
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    for (int i = 0; i < 10; i++) {
        fill(destination, &success, now_ms++);
    }
    assert_int_equal(destination->limit, MAX_LIMIT);

    /* Attempts that end together halve it once. */
    now_ms += DESTINATION_ANSWERED_MS;
    fill(destination, &overload, now_ms++);
    assert_int_equal(destination->limit, MAX_LIMIT / 2);
    fill(destination, &success, now_ms++);
    now_ms += DESTINATION_ANSWERED_MS;
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
    struct destination *destination = open_proven(MAX_LIMIT);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        end(destination_start(destination, NOW_MS), &success, NOW_MS);
    }
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    destination_close(destination);

    destination = open_proven(1);
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
    struct destination *destination = open_proven(MAX_LIMIT);
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
    struct destination *destination = open_proven(MAX_LIMIT);

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
    struct destination *destination = open_proven(MAX_LIMIT);
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

/* As many jobs may wait as will soon start. */
static void
test_room(void **state)
{
    struct destination *destination = open_proven(MAX_LIMIT);
    struct destination_ticket ticket;

    (void)state;
    assert_int_equal(destination_room(destination, NOW_MS),
                     DESTINATION_START_LIMIT);
    destination_push(destination, calloc(1, sizeof(struct job)));
    ticket = destination_start(destination, NOW_MS);
    assert_int_equal(destination_room(destination, NOW_MS),
                     DESTINATION_START_LIMIT - 2);
    assert_int_equal(destination_room_in_ms(destination, NOW_MS), 20);
    end(ticket, &success, NOW_MS + 25);
    /* Two more each within 50 ms. */
    assert_in_range(destination_room(destination, NOW_MS),
                    2 * DESTINATION_START_LIMIT - 1,
                    3 * DESTINATION_START_LIMIT - 1);
    destination->duration_us = 60 * 1000 * 1000;
    assert_int_equal(destination_room(destination, NOW_MS),
                     DESTINATION_START_LIMIT - 1);
    assert_int_equal(destination_room_in_ms(destination, NOW_MS), 1000);
    destination_close(destination);
}

/* No job waits for a destination that is blocked, and one that is probed. */
static void
test_room_of_a_blocked_one(void **state)
{
    struct destination *destination = open_proven(MAX_LIMIT);
    int64_t now_ms = NOW_MS;

    (void)state;
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        end(destination_start(destination, now_ms), &failure, now_ms);
    }
    assert_int_equal(destination_room(destination, now_ms), 0);
    assert_int_equal(destination_room_in_ms(destination, now_ms),
                     DESTINATION_WAIT_MAX_MS);
    now_ms += CIRCUIT_BREAKER_OPEN_MS;
    assert_int_equal(destination_room(destination, now_ms), DESTINATION_PROBES);
    destination_push(destination, calloc(1, sizeof(struct job)));
    assert_int_equal(destination_room(destination, now_ms), 0);
    destination_close(destination);
}

static void
test_cost(void **state)
{
    struct destination *destination = open_proven(MAX_LIMIT);

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

/* A status says nothing about a destination that has answered lately. */
static void
test_a_status_is_of_its_path(void **state)
{
    static const struct retry_verdict status = {
        .evidence = RETRY_EVIDENCE_FAILURE, .hold_ms = 3600000};
    struct destination *destination = open_proven(MAX_LIMIT);
    int64_t now_ms = NOW_MS;

    (void)state;
    end(destination_start(destination, now_ms), &success, now_ms);
    now_ms += DESTINATION_ANSWERED_MS - 1;
    for (int i = 0; i < 2 * CIRCUIT_BREAKER_IN_ROW; i++) {
        end(destination_start(destination, now_ms), &status, now_ms);
        end(destination_start(destination, now_ms), &overload, now_ms);
    }
    assert_true(destination_blocked_ms(destination, now_ms) <= 0);
    assert_int_equal(destination->limit, DESTINATION_START_LIMIT);
    now_ms++;
    end(destination_start(destination, now_ms), &status, now_ms);
    assert_int_equal(destination_blocked_ms(destination, now_ms),
                     DESTINATION_HOLD_MAX_MS);
    destination_close(destination);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_unused_limit),
        cmocka_unit_test(test_halved_once),
        cmocka_unit_test(test_untried),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_room_of_a_blocked_one),
        cmocka_unit_test(test_a_status_is_of_its_path),
        cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests_name("destination", tests, NULL, NULL);
}
