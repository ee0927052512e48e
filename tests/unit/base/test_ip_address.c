/*
 * ip_address: which texts are blocks, and which addresses the blocks contain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/ip_address.h"

#define NO_ADDRESS "is no address"
#define BITS4 "needs 0 to 32 bits behind the slash"
#define BITS6 "needs 0 to 128 bits behind the slash"
#define HOST_BITS "has bits set behind its prefix"

static const struct text_row {
    const char *text;
    const char *problem; /* NULL: none */
    const char *shown;
} text_rows[] = {
    {"10.0.0.0/8", NULL, "10.0.0.0/8"},
    {"10.1.2.3", NULL, "10.1.2.3/32"},
    {"10.1.2.3/32", NULL, "10.1.2.3/32"},
    {"0.0.0.0/0", NULL, "0.0.0.0/0"},
    {"172.16.0.0/12", NULL, "172.16.0.0/12"},
    {"128.0.0.0/1", NULL, "128.0.0.0/1"},
    {"::1", NULL, "::1/128"},
    {"::/0", NULL, "::/0"},
    {"FC00::/7", NULL, "fc00::/7"},
    {"2001:db8::/127", NULL, "2001:db8::/127"},
    {"::ffff:10.0.0.0/104", NULL, "::ffff:10.0.0.0/104"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", NULL,
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},

    {"", NO_ADDRESS, NULL},
    {"/8", NO_ADDRESS, NULL},
    {"10/8", NO_ADDRESS, NULL},
    {"10.0.0/8", NO_ADDRESS, NULL},
    {"10.0.0.256", NO_ADDRESS, NULL},
    {"010.0.0.0/8", NO_ADDRESS, NULL},
    {"0x0a.0.0.0/8", NO_ADDRESS, NULL},
    {"localhost", NO_ADDRESS, NULL},
    {"*", NO_ADDRESS, NULL},
    {"[::1]", NO_ADDRESS, NULL},
    {"fe80::1%lo", NO_ADDRESS, NULL},
    {":::", NO_ADDRESS, NULL},
    {"10.0.0.0/8 ", BITS4, NULL},
    {"10.0.0.0/", BITS4, NULL},
    {"10.0.0.0/33", BITS4, NULL},
    {"10.0.0.0/-1", BITS4, NULL},
    {"10.0.0.0/+8", BITS4, NULL},
    {"10.0.0.0/08", BITS4, NULL},
    {"10.0.0.0/8/8", BITS4, NULL},
    {"10.0.0.0/255.0.0.0", BITS4, NULL},
    {"::/129", BITS6, NULL},
    {"::/1000", BITS6, NULL},
    {"10.0.0.1/8", HOST_BITS, NULL},
    {"10.0.0.0/6", HOST_BITS, NULL},
    {"1.0.0.0/0", HOST_BITS, NULL},
    {"::1/127", HOST_BITS, NULL},
    {"fe80::/8", HOST_BITS, NULL},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     NO_ADDRESS, NULL},
};

static void
test_texts(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++) {
        const struct text_row *row = &text_rows[i];
        char shown[IP_BLOCK_TEXT_SIZE] = "";
        struct ip_block block;
        const char *problem =
            ip_block_parse(row->text, strlen(row->text), &block);

        if (problem == NULL) {
            ip_block_format(&block, shown);
        }
        if (problem == NULL || row->problem == NULL
                ? problem != row->problem || strcmp(shown, row->shown) != 0
                : strcmp(problem, row->problem) != 0) {
            print_error("\"%s\": %s\n", row->text,
                        problem == NULL ? shown : problem);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* Bytes after the given length are not read. */
static void
test_length(void **state)
{
    struct ip_block block;

    (void)state;
    assert_null(ip_block_parse("10.0.0.0/8,x", 10, &block));
    assert_int_equal(block.bits, 8);
    assert_null(ip_block_parse("10.0.0.0/8", 8, &block));
    assert_true(ip_block_is_single(&block));
}

static const struct contains_row {
    const char *block;
    const char *address;
    bool contains;
} contains_rows[] = {
    {"10.0.0.0/8", "10.0.0.0", true},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"172.16.0.0/12", "172.31.255.255", true},
    {"172.16.0.0/12", "172.32.0.0", false},
    {"192.0.2.128/31", "192.0.2.129", true},
    {"192.0.2.128/31", "192.0.2.130", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::", false},
    {"0.0.0.0/0", "::ffff:10.0.0.1", false},
    {"::/0", "ffff::", true},
    {"::/0", "0.0.0.0", false},
    {"fc00::/7", "fdff::1", true},
    {"fc00::/7", "fe00::", false},
    {"2001:db8::/127", "2001:db8::1", true},
    {"2001:db8::/127", "2001:db8::2", false},
};

static void
test_contains(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(contains_rows) / sizeof(contains_rows[0]);
         i++) {
        const struct contains_row *row = &contains_rows[i];
        struct ip_block address;
        struct ip_block block;

        assert_null(ip_block_parse(row->block, strlen(row->block), &block));
        assert_null(
            ip_block_parse(row->address, strlen(row->address), &address));
        if (ip_block_contains(&block, &address.first) != row->contains) {
            print_error("%s in %s\n", row->address, row->block);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_contains),
    };

    return cmocka_run_group_tests_name("ip_address", tests, NULL, NULL);
}
