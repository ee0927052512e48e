/*
 * redis_reason: the reason of each result and error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis/redis_reason.h"

static const struct {
    enum redis_result result;
    const char *refusal;
    const char *name;
} rows[] = {
    {REDIS_AWAY, "", "away"},
    {REDIS_AWAY, "OOM of an earlier run", "away"},
    {REDIS_AWAY, "MOVED 1 127.0.0.1:1", "moved"},
    {REDIS_LOST, "", "lost"},
    {REDIS_SPARSE, "", "sparse"},
    {REDIS_REFUSED, "OOM command not allowed", "full"},
    {REDIS_REFUSED, "MOVED 1 127.0.0.1:1", "moved"},
    {REDIS_REFUSED, "TRYAGAIN later", "tryagain"},
    {REDIS_REFUSED, "CLUSTERDOWN it is", "clusterdown"},
    {REDIS_REFUSED, "NOPERM no right", "refused"},
    {REDIS_REFUSED, "ERR OOM ", "refused"},
    {REDIS_REFUSED, "", "refused"},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum redis_reason reason =
            redis_reason_of(rows[i].result, rows[i].refusal);

        assert_string_equal(redis_reason_names[reason], rows[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
