/*
 * node_name: the name of each form of redis.url.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis/node_name.h"

static const struct {
    const char *url;
    const char *name;
} rows[] = {
    {"unix:///run/redis.sock", "/run/redis.sock"},
    {"unix://user:secret@/r%20s?db=3", "/r s"},
    {"unix:///r\303\244dis", "/r??dis"},
    {"redis://h.example", "h.example:6379"},
    {"redis://user:secret@10.0.0.1:7000/2", "10.0.0.1:7000"},
    {"redis://[::1]:7000", "[::1]:7000"},
    {"redis+sentinel://a,b/main", "main"},
    {"redis+cluster://a,b:7000", "cluster"},
};

static void
test_rows(void **state)
{
    char name[REDIS_NODE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        redis_node_name(rows[i].url, name);
        assert_string_equal(name, rows[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
