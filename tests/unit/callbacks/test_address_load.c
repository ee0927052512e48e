/*
 * test_address_load: which addresses count as one, and the limit of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/address_load.h"

static struct address_set
read_set(const char *addresses)
{
    struct address_set set;

    address_set_read(&set, addresses);
    return set;
}

static void
test_reading(void **state)
{
    static const struct {
        const char *addresses;
        size_t count;
    } rows[] = {
        {"", 0},
        {"h", 0},
        {"h:80", 0},
        {"192.0.2.1", 1},
        {"192.0.2.1:80", 1},
        {"192.0.2.1,192.0.2.2,192.0.2.1", 2},
        {"[2001:db8::1]", 1},
        {"[2001:db8::1]:80", 1},
        {"[2001:db8::1],[2001:db8::ffff:1]", 1},
        {"[2001:db8::1],[2001:db8:0:1::1]", 2},
        {"1.0.0.1,1.0.0.2,1.0.0.3,1.0.0.4,1.0.0.5,1.0.0.6,1.0.0.7,1.0.0.8,"
         "1.0.0.9",
         ADDRESS_SET_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t count = read_set(rows[i].addresses).count;

        if (count != rows[i].count) {
            fail_msg("\"%s\": %zu", rows[i].addresses, count);
        }
    }
}

/* Any address of a host that is full is enough to refuse. */
static void
test_limit(void **state)
{
    struct address_load *load = address_load_open();
    struct address_set one = read_set("[2001:db8::1]");
    struct address_set neighbour = read_set("192.0.2.1,[2001:db8::2]");
    struct address_set other = read_set("192.0.2.1,[2001:db8:0:1::]");

    (void)state;
    for (int i = 0; i < ADDRESS_LOAD_MAX; i++) {
        assert_true(address_load_has_room(load, &neighbour));
        assert_int_equal(address_load_take(load, &one), 0);
    }
    assert_false(address_load_has_room(load, &one));
    assert_false(address_load_has_room(load, &neighbour));
    assert_true(address_load_has_room(load, &other));
    address_load_give(load, &one);
    assert_true(address_load_has_room(load, &neighbour));
    address_load_close(load);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests_name("address_load", tests, NULL, NULL);
}
