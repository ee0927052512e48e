/*
 * test_ip_list: entries of both families, separated in any way; an entry that
 * cannot be read is named.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip_list.h"

static bool
has(const char *text, const char *address, bool exact)
{
    char why[IP_LIST_WHY_SIZE];
    struct ip_list list;
    struct ip_block one;
    bool found;

    assert_int_equal(ip_list_read(&list, text, why), 0);
    assert_null(ip_block_parse(address, strlen(address), &one));
    found = ip_list_has(&list, &one.first, exact);
    ip_list_fini(&list);
    return found;
}

static void
test_has_what_an_entry_contains(void **state)
{
    static const char list[] = " 10.0.0.0/8,192.0.2.1\t::1, fc00::/7,";

    (void)state;
    assert_true(has(list, "10.1.2.3", false));
    assert_true(has(list, "192.0.2.1", false));
    assert_true(has(list, "::1", false));
    assert_true(has(list, "fd00::7", false));
    assert_false(has(list, "11.0.0.1", false));
    assert_false(has(list, "::ffff:10.1.2.3", false));
    assert_false(has("", "10.1.2.3", false));
    assert_false(has(", ,", "10.1.2.3", false));
}

static void
test_exact_means_an_address_of_its_own(void **state)
{
    (void)state;
    assert_false(has("10.0.0.0/8", "10.1.2.3", true));
    assert_true(has("10.0.0.0/8 10.1.2.3", "10.1.2.3", true));
}

static void
test_names_an_entry_that_cannot_be_read(void **state)
{
    static const char *const wrong[] = {"host.example", "10.0.0.1/8",
                                        "10.0.0.0/33", "::1/129", "1.2.3"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[64] = "10.0.0.0/8, ";
        char why[IP_LIST_WHY_SIZE];
        struct ip_list list;

        strcat(text, wrong[i]);
        assert_int_equal(ip_list_read(&list, text, why), -1);
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(why, wrong[i]));
        assert_non_null(ip_list_problem(text));
        ip_list_fini(&list);
    }
    assert_null(ip_list_problem("10.0.0.0/8, ::1"));
    assert_null(ip_list_problem(""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_what_an_entry_contains),
        cmocka_unit_test(test_exact_means_an_address_of_its_own),
        cmocka_unit_test(test_names_an_entry_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
