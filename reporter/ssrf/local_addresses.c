/*
 * local_addresses: getifaddrs(3), which asks the kernel by netlink and does not
 * block.
 */
#include "local_addresses.h"

#include <ifaddrs.h>
#include <stdlib.h>

struct local_addresses {
    struct ifaddrs *list;
    int64_t read_ms; /* monotonic */
};

struct local_addresses *
local_addresses_open(int64_t now_ms)
{
    struct local_addresses *locals = calloc(1, sizeof(*locals));

    if (locals == NULL) {
        return NULL;
    }
    locals->read_ms = now_ms;
    if (getifaddrs(&locals->list) != 0) {
        free(locals);
        return NULL;
    }
    return locals;
}

void
local_addresses_close(struct local_addresses *locals)
{
    if (locals != NULL) {
        freeifaddrs(locals->list);
        free(locals);
    }
}

static void
refresh(struct local_addresses *locals, int64_t now_ms)
{
    struct ifaddrs *list;

    if (now_ms - locals->read_ms < LOCAL_ADDRESSES_MAX_AGE_MS) {
        return;
    }
    locals->read_ms = now_ms;
    if (getifaddrs(&list) == 0) {
        freeifaddrs(locals->list);
        locals->list = list;
    }
}

/* connect(2) on Linux takes the unspecified addresses for loopback, too. */
static bool
is_loopback(const struct ip_address *address)
{
    static const struct ip_block blocks[] = {
        {{AF_INET, {127}}, 8},
        {{AF_INET, {0}}, 32},
        {{AF_INET6, {0}}, 127}, /* :: and ::1 */
    };

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (ip_block_contains(&blocks[i], address)) {
            return true;
        }
    }
    return false;
}

bool
local_addresses_contain(struct local_addresses *locals,
                        const struct ip_address *address, int64_t now_ms)
{
    struct ip_address own;
    uint16_t port;

    if (is_loopback(address)) {
        return true;
    }
    refresh(locals, now_ms);
    for (struct ifaddrs *i = locals->list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr != NULL &&
            ip_address_read(i->ifa_addr, &own, &port) == 0 &&
            ip_address_equal(&own, address)) {
            return true;
        }
    }
    return false;
}
