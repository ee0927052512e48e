/*
 * address_list: the pairs of each round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/address_list.h"

static void
test_rounds(void **state)
{
    static const char longest[] =
        "[2001:db8:1111:2222:3333:4444:5555:6666],255.255.255.255";
    static const struct {
        const char *list;
        int round;
        const char *pair;
        int rounds;
    } rows[] = {
        {"", 0, "", 0},
        {"192.0.2.1", 0, "192.0.2.1", 1},
        {"192.0.2.1", 1, "", 1},
        {"[::1]", 0, "[::1]", 1},
        {"192.0.2.1,192.0.2.2", 0, "192.0.2.1", 2},
        {"192.0.2.1,192.0.2.2", 1, "192.0.2.2", 2},
        {"192.0.2.1,192.0.2.2,[::1]", 0, "192.0.2.1,[::1]", 2},
        {"[::1],192.0.2.1,192.0.2.2", 0, "[::1],192.0.2.1", 2},
        {"[::1],[::2],[::3],192.0.2.1,192.0.2.2", 1, "[::2],192.0.2.2", 3},
        {"[::1],[::2],[::3],192.0.2.1,192.0.2.2", 2, "[::3]", 3},
        {longest, 0, longest, 1},
    };
    char pair[ADDRESS_LIST_PAIR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s, %d\n", rows[i].list, rows[i].round);
        assert_int_equal(address_list_pick(rows[i].list, rows[i].round, pair),
                         rows[i].rounds);
        assert_string_equal(pair, rows[i].pair);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounds)};

    return cmocka_run_group_tests_name("address_list", tests, NULL, NULL);
}
