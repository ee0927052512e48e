/*
 * address_policy: which addresses are allowed, in tables. The special ranges
 * are written here a second time, as text, by their first and last addresses.
 * The rule about this host's addresses is tested in a network namespace.
 */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "ssrf/address_policy.h"

/* The text as a socket address. */
static struct sockaddr *
make(const char *text, int port, struct sockaddr_storage *storage)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
    struct sockaddr_in *in = (struct sockaddr_in *)storage;

    memset(storage, 0, sizeof(*storage));
    if (strchr(text, ':') != NULL) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    } else {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
    }
    return (struct sockaddr *)storage;
}

static bool
check(struct address_policy *policy, const char *address, int port, char *why)
{
    struct sockaddr_storage storage;

    return address_policy_check(policy, make(address, port, &storage), why);
}

static struct address_policy *
open_policy(const char *allow)
{
    char why[ADDRESS_POLICY_WHY_SIZE];
    struct address_policy *policy = address_policy_open(allow, why);

    if (policy == NULL) {
        fail_msg("\"%s\": %s", allow, why);
    }
    return policy;
}

/* Each range: its first and last address, and its description. */
static const struct special_range_row {
    const char *first;
    const char *last;
    const char *what;
} special_range_rows[] = {
    {"0.0.0.0", "0.0.0.0", "0.0.0.0/32 this host, RFC 1122"},
    {"0.0.0.1", "0.255.255.255", "0.0.0.0/8 this network, RFC 791"},
    {"10.0.0.0", "10.255.255.255", "10.0.0.0/8 private-use, RFC 1918"},
    {"100.64.0.0", "100.127.255.255",
     "100.64.0.0/10 shared address space (CGNAT), RFC 6598"},
    {"127.0.0.0", "127.255.255.255", "127.0.0.0/8 loopback, RFC 1122"},
    {"169.254.0.0", "169.254.255.255", "169.254.0.0/16 link-local, RFC 3927"},
    {"172.16.0.0", "172.31.255.255", "172.16.0.0/12 private-use, RFC 1918"},
    {"192.0.0.0", "192.0.0.7", "192.0.0.0/29 "},
    {"192.0.0.8", "192.0.0.8", "192.0.0.8/32 "},
    {"192.0.0.9", "192.0.0.9", "192.0.0.9/32 "},
    {"192.0.0.10", "192.0.0.10", "192.0.0.10/32 "},
    {"192.0.0.11", "192.0.0.255", "192.0.0.0/24 "},
    {"192.0.0.170", "192.0.0.170", "192.0.0.170/32 "},
    {"192.0.0.171", "192.0.0.171", "192.0.0.171/32 "},
    {"192.0.2.0", "192.0.2.255", "192.0.2.0/24 documentation"},
    {"192.31.196.0", "192.31.196.255", "192.31.196.0/24 AS112"},
    {"192.52.193.0", "192.52.193.255", "192.52.193.0/24 "},
    {"192.88.99.0", "192.88.99.255", "192.88.99.0/24 6to4 relay anycast"},
    {"192.88.99.2", "192.88.99.2", "192.88.99.2/32 6a44 relay anycast"},
    {"192.168.0.0", "192.168.255.255", "192.168.0.0/16 private-use, RFC 1918"},
    {"192.175.48.0", "192.175.48.255", "192.175.48.0/24 AS112"},
    {"198.18.0.0", "198.19.255.255", "198.18.0.0/15 benchmarking, RFC 2544"},
    {"198.51.100.0", "198.51.100.255", "198.51.100.0/24 documentation"},
    {"203.0.113.0", "203.0.113.255", "203.0.113.0/24 documentation"},
    {"224.0.0.0", "239.255.255.255", "224.0.0.0/4 multicast, RFC 5771"},
    {"240.0.0.0", "255.255.255.254", "240.0.0.0/4 reserved, RFC 1112"},
    {"255.255.255.255", "255.255.255.255", "/32 limited broadcast, RFC 8190"},

    {"::", "::", "::/128 unspecified, RFC 4291"},
    {"::1", "::1", "::1/128 loopback, RFC 4291"},
    {"::2", "::255.255.255.255", "::/96 IPv4-compatible, RFC 4291"},
    {"::1:0:0", "::fffe:ffff:ffff", "::/0 not global unicast, RFC 4291"},
    {"::ffff:0.0.0.0", "::ffff:255.255.255.255", "/96 IPv4-mapped, RFC 4291"},
    {"::ffff:0:0:0", "::ffff:0:ffff:ffff",
     "::ffff:0:0:0/96 IPv4-translated, RFC 2765"},
    {"64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::/96 NAT64, RFC 6052"},
    {"64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "::/0 "},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
     "64:ff9b:1::/48 local-use NAT64, RFC 8215"},
    {"100::", "100::ffff:ffff:ffff:ffff", "100::/64 discard-only, RFC 6666"},
    {"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "100:0:0:1::/64 dummy"},
    {"200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
    {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001::/32 Teredo"},
    {"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001::/23 IETF protocol assignments, RFC 2928"},
    {"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "/48 benchmarking"},
    {"2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", "2001:3::/32 "},
    {"2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", "/48 AS112"},
    {"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "/28 ORCHID, "},
    {"2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "/28 ORCHIDv2, "},
    {"2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "/28 drone "},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::/32 documentation, RFC 3849"},
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2002::/16 6to4, RFC 3056"},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "/48 AS112"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff::/20 documentation, RFC 9637"},
    {"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "5f00::/16 SRv6 segment ids, RFC 9602"},
    {"5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fc00::/7 unique-local, RFC 4193"},
    {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fe80::/10 link-local, RFC 4291"},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fec0::/10 site-local, RFC 3879"},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "ff00::/8 multicast, RFC 4291"},

    {"169.254.169.254", "169.254.169.254", "/32 metadata service, AWS"},
    {"169.254.170.2", "169.254.170.2", "/32 container credentials, AWS ECS"},
    {"169.254.170.23", "169.254.170.23", "/32 pod credentials, AWS EKS"},
    {"169.254.0.23", "169.254.0.23", "/32 metadata service, Tencent"},
    {"169.254.42.42", "169.254.42.42", "/32 metadata service, Scaleway"},
    {"100.100.100.200", "100.100.100.200", "/32 metadata service, Alibaba"},
    {"192.0.0.192", "192.0.0.192", "/32 metadata service, Oracle"},
    {"168.63.129.16", "168.63.129.16", "/32 WireServer, Azure"},
    {"fd00:ec2::254", "fd00:ec2::254", "/128 metadata service, AWS"},
    {"fd00:ec2::23", "fd00:ec2::23", "/128 pod credentials, AWS EKS"},
    {"fd20:ce::254", "fd20:ce::254", "/128 metadata service, GCP"},
    {"fd00:42::42", "fd00:42::42", "/128 metadata service, Scaleway"},
};

static bool
refused_as(struct address_policy *policy, const char *address, const char *what)
{
    char why[ADDRESS_POLICY_WHY_SIZE];

    if (!check(policy, address, 80, why) && strstr(why, address) == why &&
        strstr(why, what) != NULL && strstr(why, "callbacks.allow") != NULL) {
        return true;
    }
    print_error("%s: \"%s\"\n", address, why);
    return false;
}

static void
test_ranges(void **state)
{
    struct address_policy *policy = open_policy("");
    int failed = 0;

    (void)state;
    for (size_t i = 0;
         i < sizeof(special_range_rows) / sizeof(special_range_rows[0]); i++) {
        const struct special_range_row *row = &special_range_rows[i];

        if (!refused_as(policy, row->first, row->what) ||
            !refused_as(policy, row->last, row->what)) {
            failed++;
        }
    }
    address_policy_close(policy);
    assert_int_equal(failed, 0);
}

/* Among them the neighbours of the special ranges. */
static const char *const public_rows[] = {
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "203.0.114.0",
    "223.255.255.255",
    "2000::",
    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:4860:4860::8888",
    "2003::",
    "2606:4700::1111",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static void
test_public(void **state)
{
    struct address_policy *policy = open_policy("");
    char why[ADDRESS_POLICY_WHY_SIZE];
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(public_rows) / sizeof(public_rows[0]); i++) {
        if (!check(policy, public_rows[i], 80, why)) {
            print_error("%s\n", why);
            failed++;
        }
    }
    address_policy_close(policy);
    assert_int_equal(failed, 0);
}

static const struct allow_row {
    const char *allow;
    const char *address;
    const char *why; /* NULL: allowed */
} allow_rows[] = {
    {"10.0.0.0/8", "10.1.2.3", NULL},
    {"10.0.0.0/8", "192.168.0.1", "192.168.0.0/16"},
    {"10.0.0.0/8", "11.0.0.1", NULL},
    {"10.1.0.0/16, 10.3.0.0/16", "10.1.0.1", NULL},
    {"10.1.0.0/16, 10.3.0.0/16", "10.3.0.1", NULL},
    {"10.1.0.0/16, 10.3.0.0/16", "10.2.0.1", "10.0.0.0/8"},
    {" ,,10.1.0.0/16\t::1 ,", "::1", NULL},
    {"127.0.0.1", "127.0.0.1", NULL},
    {"127.0.0.1", "127.0.0.2", "127.0.0.0/8"},
    {"127.0.0.0/8", "::1", "::1/128"},
    {"0.0.0.0/0", "192.0.0.170", NULL},
    {"::/0", "10.0.0.1", "10.0.0.0/8"},
    {"fc00::/7", "fd12::1", NULL},
    {"fe80::/10", "fe80::1", NULL},

    {"0.0.0.0/0 ::/0", "169.254.169.254", "only by that very address"},
    {"0.0.0.0/0 ::/0", "fd00:ec2::254", "only by that very address"},
    {"169.254.169.252/31", "169.254.169.254", "only by that very address"},
    {"169.254.169.254", "169.254.169.254", NULL},
    {"fd00:ec2::254/128", "fd00:ec2::254", NULL},

    {"127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:0.0.0.0/96 IPv4-mapped"},
    {"::ffff:0:0/96", "::ffff:127.0.0.1", "127.0.0.1 is in 127.0.0.0/8"},
    {"::ffff:0:0/96 127.0.0.0/8", "::ffff:127.0.0.1", NULL},
    {"::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1 is in 127.0.0.0/8"},
    {"::ffff:0:0/96", "::ffff:8.8.8.8", NULL},
    {"", "::ffff:8.8.8.8", "IPv4-mapped"},
    {"::ffff:0:0/96", "::ffff:169.254.169.254", "169.254.169.254/32"},
    {"::/96", "::10.0.0.1", "10.0.0.1 is in 10.0.0.0/8"},
    {"::ffff:0:0:0/96", "::ffff:0:10.0.0.1", "10.0.0.1 is in 10.0.0.0/8"},
    {"64:ff9b::/96", "64:ff9b::10.0.0.1", "10.0.0.1 is in 10.0.0.0/8"},
    {"64:ff9b::/96", "64:ff9b::8.8.8.8", NULL},
    {"64:ff9b:1::/48", "64:ff9b:1::10.0.0.1", "10.0.0.1 is in 10.0.0.0/8"},
    {"64:ff9b:1::/48", "64:ff9b:1::8.8.8.8", NULL},
    {"2002::/16", "2002:a00:1::", "10.0.0.1 is in 10.0.0.0/8"},
    {"2002::/16", "2002:808:808::1", NULL},
    {"2001::/32", "2001::f5ff:fffe", "10.0.0.1 is in 10.0.0.0/8"},
    {"2001::/32", "2001::f7f7:f7f7", NULL},
    {"::/0 10.0.0.0/8", "2002:a00:1::", NULL},
};

static void
test_allow(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(allow_rows) / sizeof(allow_rows[0]); i++) {
        const struct allow_row *row = &allow_rows[i];
        struct address_policy *policy = open_policy(row->allow);
        char why[ADDRESS_POLICY_WHY_SIZE];
        bool allowed = check(policy, row->address, 80, why);

        if (row->why == NULL ? !allowed
                             : allowed || strstr(why, row->why) == NULL) {
            print_error("\"%s\", %s: \"%s\"\n", row->allow, row->address, why);
            failed++;
        }
        address_policy_close(policy);
    }
    assert_int_equal(failed, 0);
}

static const struct bad_row {
    const char *allow;
    const char *why;
} bad_rows[] = {
    {"localhost", "callbacks.allow: \"localhost\" is no address"},
    {"10.0.0.0/8, 10.0.0/8", "callbacks.allow: \"10.0.0/8\" is no address"},
    {"10.0.0.1/8", "callbacks.allow: \"10.0.0.1/8\" has bits set behind its "
                   "prefix"},
    {"::1 ::/200,::2",
     "callbacks.allow: \"::/200\" needs 0 to 128 bits behind the slash"},
    {"10.0.0.0/8;::1",
     "callbacks.allow: \"10.0.0.0/8;::1\" needs 0 to 32 bits behind the "
     "slash"},
};

static void
test_bad_allow(void **state)
{
    char why[ADDRESS_POLICY_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        errno = 0;
        assert_null(address_policy_open(bad_rows[i].allow, why));
        assert_int_equal(errno, EINVAL);
        assert_string_equal(why, bad_rows[i].why);
    }
}

static void
protect(struct address_policy *policy, const char *address, int port)
{
    struct sockaddr_storage storage;

    address_policy_protect(policy, make(address, port, &storage));
}

static const struct redis_row {
    const char *redis;
    const char *address;
    int port;
    bool allowed;
} redis_rows[] = {
    {"10.0.0.5", "10.0.0.5", 6379, false},
    {"10.0.0.5", "10.0.0.5", 6380, true},
    {"10.0.0.5", "10.0.0.6", 6379, true},
    {"10.0.0.5", "::ffff:10.0.0.5", 6379, false},
    {"10.0.0.5", "2002:a00:5::", 6379, false},
    {"::ffff:10.0.0.5", "10.0.0.5", 6379, false},
    {"fd12::5", "fd12::5", 6379, false},
    {"fd12::5", "fd12::6", 6379, true},
    {"127.0.0.1", "127.0.0.1", 6379, false},
    {"127.0.0.1", "127.9.9.9", 6379, false},
    {"127.0.0.1", "0.0.0.0", 6379, false},
    {"127.0.0.1", "::1", 6379, false},
    {"127.0.0.1", "::", 6379, false},
    {"127.0.0.1", "::ffff:127.0.0.1", 6379, false},
    {"127.0.0.1", "127.0.0.1", 6380, true},
    {"::1", "127.0.0.1", 6379, false},
    {"8.8.8.8", "8.8.8.8", 6379, false},
    {"8.8.8.8", "8.8.8.8", 80, true},
};

static void
test_redis(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(redis_rows) / sizeof(redis_rows[0]); i++) {
        const struct redis_row *row = &redis_rows[i];
        struct address_policy *policy = open_policy("0.0.0.0/0 ::/0");
        char why[ADDRESS_POLICY_WHY_SIZE];

        protect(policy, row->redis, 6379);
        if (check(policy, row->address, row->port, why) != row->allowed ||
            (!row->allowed && strstr(why, "is Redis itself") == NULL)) {
            print_error("%s: %s port %d: \"%s\"\n", row->redis, row->address,
                        row->port, why);
            failed++;
        }
        address_policy_close(policy);
    }
    assert_int_equal(failed, 0);
}

/* The last addresses of Redis stay refused. A repeated one fills no place. */
static void
test_redis_moves(void **state)
{
    struct address_policy *policy = open_policy("10.0.0.0/8");
    char why[ADDRESS_POLICY_WHY_SIZE];
    char text[sizeof("10.0.0.999")];

    (void)state;
    for (int i = 0; i <= ADDRESS_POLICY_PROTECTED_MAX; i++) {
        snprintf(text, sizeof(text), "10.0.0.%d", i);
        protect(policy, text, 6379);
        protect(policy, text, 6379);
    }
    assert_true(check(policy, "10.0.0.0", 6379, why));
    for (int i = 1; i <= ADDRESS_POLICY_PROTECTED_MAX; i++) {
        snprintf(text, sizeof(text), "10.0.0.%d", i);
        assert_false(check(policy, text, 6379, why));
    }
    address_policy_close(policy);
}

static void
test_other_families(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/x"};
    struct address_policy *policy = open_policy("0.0.0.0/0 ::/0");
    char why[ADDRESS_POLICY_WHY_SIZE];

    (void)state;
    address_policy_protect(policy, (struct sockaddr *)&un);
    assert_false(address_policy_check(policy, (struct sockaddr *)&un, why));
    assert_string_equal(why, "not an Internet address");
    address_policy_close(policy);
}

/* Adds a public address to the loopback interface. */
static bool
add_address(const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage storage;
    struct ifreq request;
    bool done;

    memset(&request, 0, sizeof(request));
    snprintf(request.ifr_name, sizeof(request.ifr_name), "lo:1");
    memcpy(&request.ifr_addr, make(address, 0, &storage),
           sizeof(request.ifr_addr));
    done = fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

static void
test_own_address(void **state)
{
    char why[ADDRESS_POLICY_WHY_SIZE];
    struct address_policy *policy;

    (void)state;
    if ((unshare(CLONE_NEWNET) != 0 &&
         unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        !add_address("8.8.8.8")) {
        skip();
    }
    policy = open_policy("");
    assert_true(check(policy, "8.8.4.4", 80, why));
    assert_false(check(policy, "8.8.8.8", 80, why));
    assert_string_equal(why, "8.8.8.8 is an address of this host, which "
                             "callbacks.allow does not open");
    address_policy_close(policy);

    policy = open_policy("8.8.8.8");
    assert_true(check(policy, "8.8.8.8", 6379, why));
    protect(policy, "127.0.0.1", 6379);
    assert_false(check(policy, "8.8.8.8", 6379, why));
    address_policy_close(policy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_allow),
        cmocka_unit_test(test_bad_allow),
        cmocka_unit_test(test_redis),
        cmocka_unit_test(test_redis_moves),
        cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_own_address), /* last: it leaves the network */
    };

    return cmocka_run_group_tests_name("address_policy", tests, NULL, NULL);
}
