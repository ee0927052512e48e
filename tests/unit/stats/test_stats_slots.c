/*
 * stats_slots: sums over child processes that are killed and started again.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats/stats_slots.h"

enum { COUNTER, SUM, MOST, LEAST, KNOWN, CHILDREN = 3, KILLS = 50 };

static const struct stats_layout layout = {.merge = {[COUNTER] = STATS_COUNTER,
                                                     [SUM] = STATS_SUM,
                                                     [MOST] = STATS_MOST,
                                                     [LEAST] = STATS_LEAST,
                                                     [KNOWN] = STATS_KNOWN}};

static int
open_slots(void **state)
{
    *state = stats_slots_open(CHILDREN, &layout);
    return *state == NULL ? -1 : 0;
}

static int
close_slots(void **state)
{
    stats_slots_close(*state);
    return 0;
}

static uint64_t
sum_of(const struct stats_slots *slots, int cell)
{
    uint64_t sums[STATS_CELLS];

    stats_slots_sum(slots, sums);
    return sums[cell];
}

/* Each child counts without end, and is killed at some point of that. */
static void
test_sums_never_become_smaller(void **state)
{
    struct stats_slots *slots = *state;
    uint64_t before = 0;

    for (size_t i = 0; i < KILLS; i++) {
        size_t slot = i % CHILDREN;
        pid_t pid = fork();
        uint64_t sum;

        assert_true(pid >= 0);
        if (pid == 0) {
            uint64_t *cells = stats_slots_begin(slots, slot);

            stats_set(&cells[SUM], 1);
            for (;;) {
                stats_add(&cells[COUNTER], 1);
            }
        }
        while (sum_of(slots, COUNTER) <= before) {
            usleep(100);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        sum = sum_of(slots, COUNTER);
        assert_true(sum > before);
        assert_int_equal(sum_of(slots, SUM), 1);
        stats_slots_end(slots, slot);
        assert_true(sum_of(slots, COUNTER) == sum);
        assert_int_equal(sum_of(slots, SUM), 0);
        before = sum;
    }
}

static void
test_each_way_of_merging(void **state)
{
    struct stats_slots *slots = *state;
    uint64_t *one = stats_slots_begin(slots, 0);
    uint64_t *two = stats_slots_begin(slots, 2); /* 1 was never started */
    int64_t value;

    for (int i = 0; i < KNOWN; i++) {
        stats_set(&one[i], 7);
        stats_set(&two[i], 5);
    }
    stats_tell(&two[KNOWN], -3);
    assert_int_equal(sum_of(slots, COUNTER), 12);
    assert_int_equal(sum_of(slots, SUM), 12);
    assert_int_equal(sum_of(slots, MOST), 7);
    assert_int_equal(sum_of(slots, LEAST), 5);
    assert_true(stats_told(sum_of(slots, KNOWN), &value));
    assert_int_equal(value, -3);

    stats_slots_end(slots, 2);
    assert_int_equal(sum_of(slots, COUNTER), 12);
    assert_int_equal(sum_of(slots, SUM), 7);
    assert_int_equal(sum_of(slots, LEAST), 7);
    assert_false(stats_told(sum_of(slots, KNOWN), &value));
}

static void
test_zero_is_known(void **state)
{
    uint64_t *cells = stats_slots_begin(*state, 0);
    int64_t value = 1;

    stats_tell(&cells[KNOWN], 0);
    assert_true(stats_told(sum_of(*state, KNOWN), &value));
    assert_int_equal(value, 0);
}

static void
test_too_many(void **state)
{
    (void)state;
    assert_null(stats_slots_open(STATS_CELLS + 1, &layout));
    assert_int_equal(errno, EINVAL);
    stats_slots_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sums_never_become_smaller,
                                        open_slots, close_slots),
        cmocka_unit_test_setup_teardown(test_each_way_of_merging, open_slots,
                                        close_slots),
        cmocka_unit_test_setup_teardown(test_zero_is_known, open_slots,
                                        close_slots),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
