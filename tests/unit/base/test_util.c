/*
 * test_util: the small helpers, at their limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/util.h"

static void
test_min_max(void **state)
{
    (void)state;
    assert_true(int64_min(INT64_MIN, INT64_MAX) == INT64_MIN);
    assert_true(int64_max(INT64_MIN, INT64_MAX) == INT64_MAX);
    assert_true(int64_min(-1, -2) == -2);
    assert_true(int64_max(-1, -2) == -1);
    assert_true(size_min(0, SIZE_MAX) == 0);
    assert_true(size_min(SIZE_MAX, 0) == 0);
    assert_true(int64_clamp(0, 1, 9) == 1);
    assert_true(int64_clamp(1, 1, 9) == 1);
    assert_true(int64_clamp(5, 1, 9) == 5);
    assert_true(int64_clamp(9, 1, 9) == 9);
    assert_true(int64_clamp(10, 1, 9) == 9);
}

static void
test_starts_with(void **state)
{
    (void)state;
    assert_true(starts_with("unix:///s", "unix://"));
    assert_true(starts_with("unix", "unix"));
    assert_true(starts_with("unix", ""));
    assert_false(starts_with("uni", "unix"));
    assert_false(starts_with("UNIX", "unix"));
}

/*
 * The test vectors of FNV-1a, 64 bits, with the fold of the upper half:
 * https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
 */
static void
test_fnv1a(void **state)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } rows[] = {
        {"", UINT64_C(0xcbf29ce484222325)},
        {"a", UINT64_C(0xaf63dc4c8601ec8c)},
        {"foobar", UINT64_C(0x85944171f73967e8)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(fnv1a(0, rows[i].text) ==
                    (rows[i].hash ^ rows[i].hash >> 32));
        assert_true(fnv1a(1, rows[i].text) != fnv1a(0, rows[i].text));
    }
}

static void
test_host_name(void **state)
{
    char name[HOST_NAME_SIZE];
    struct utsname kernel;

    (void)state;
    assert_int_equal(uname(&kernel), 0);
    host_name(name);
    assert_string_equal(name, kernel.nodename);
}

/* Each half of a number, and each number below a bound, comes up. */
static void
test_random(void **state)
{
    uint64_t ones = 0, below = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t few = random_below(3);

        assert_true(few < 3);
        below |= UINT64_C(1) << few;
        ones |= random_number();
    }
    assert_true(below == 7);
    assert_true(ones == UINT64_MAX);
    assert_true(random_number() != random_number());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_min_max), cmocka_unit_test(test_starts_with),
        cmocka_unit_test(test_fnv1a),   cmocka_unit_test(test_host_name),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
