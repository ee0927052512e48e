/*
 * local_addresses: this host's addresses are in the list, and an address that
 * is added later is in it as soon as the list is too old.
 */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ssrf/local_addresses.h"

enum { NOW_MS = 1000000 };

static struct ip_address
ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    struct ip_address address = {AF_INET, {a, b, c, d}};

    return address;
}

/* Addresses that lead to this host whatever its interfaces are. */
static void
test_loopback(void **state)
{
    struct local_addresses *locals = local_addresses_open(NOW_MS);
    struct ip_address address = ipv4(127, 200, 1, 1);

    (void)state;
    assert_true(local_addresses_contain(locals, &address, NOW_MS));
    address = ipv4(0, 0, 0, 0);
    assert_true(local_addresses_contain(locals, &address, NOW_MS));
    address = ipv4(0, 0, 0, 1);
    assert_false(local_addresses_contain(locals, &address, NOW_MS));
    memset(&address, 0, sizeof(address));
    address.family = AF_INET6;
    assert_true(local_addresses_contain(locals, &address, NOW_MS));
    address.bytes[15] = 1;
    assert_true(local_addresses_contain(locals, &address, NOW_MS));
    address.bytes[15] = 2;
    assert_false(local_addresses_contain(locals, &address, NOW_MS));
    local_addresses_close(locals);
}

static void
test_interfaces(void **state)
{
    struct local_addresses *locals = local_addresses_open(NOW_MS);
    struct ifaddrs *list = NULL;
    struct ip_address address;
    uint16_t port;

    (void)state;
    assert_int_equal(getifaddrs(&list), 0);
    for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr != NULL &&
            ip_address_read(i->ifa_addr, &address, &port) == 0) {
            assert_true(local_addresses_contain(locals, &address, NOW_MS));
        }
    }
    freeifaddrs(list);
    local_addresses_close(locals);
}

/* In a network namespace of the test. */
static void
test_added_later(void **state)
{
    struct ip_address address = ipv4(8, 8, 8, 8);
    struct ifreq request = {.ifr_name = "lo:1"};
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    struct local_addresses *locals;
    int fd;

    (void)state;
    if (unshare(CLONE_NEWNET) != 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        skip();
    }
    locals = local_addresses_open(NOW_MS);
    assert_false(local_addresses_contain(locals, &address, NOW_MS));

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(0x08080808);
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
    close(fd);

    assert_false(local_addresses_contain(
        locals, &address, NOW_MS + LOCAL_ADDRESSES_MAX_AGE_MS - 1));
    assert_true(local_addresses_contain(locals, &address,
                                        NOW_MS + LOCAL_ADDRESSES_MAX_AGE_MS));
    local_addresses_close(locals);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback), cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_added_later), /* last: it leaves the network */
    };

    return cmocka_run_group_tests_name("local_addresses", tests, NULL, NULL);
}
