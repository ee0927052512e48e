/*
 * homes: getifaddrs(3) again and again. It asks the kernel by netlink, which
 * does not block.
 */
#include "homes.h"

#include <ifaddrs.h>
#include <stdlib.h>

#include "cidr.h"

struct homes {
    struct ifaddrs *list;
    int64_t listed_ms; /* monotonic */
};

struct homes *
homes_open(int64_t now_ms)
{
    struct homes *homes = calloc(1, sizeof(*homes));

    if (homes == NULL) {
        return NULL;
    }
    homes->listed_ms = now_ms;
    if (getifaddrs(&homes->list) != 0) {
        free(homes);
        return NULL;
    }
    return homes;
}

void
homes_close(struct homes *homes)
{
    if (homes != NULL) {
        freeifaddrs(homes->list);
        free(homes);
    }
}

static void
refresh(struct homes *homes, int64_t now_ms)
{
    struct ifaddrs *list;

    if (now_ms - homes->listed_ms < HOMES_MAX_AGE_MS) {
        return;
    }
    homes->listed_ms = now_ms;
    if (getifaddrs(&list) == 0) {
        freeifaddrs(homes->list);
        homes->list = list;
    }
}

/* Linux takes the unspecified addresses as loopback ones in connect(2). */
static bool
loops_back(const struct address *address)
{
    static const struct cidr blocks[] = {
        {{AF_INET, {127}}, 8},
        {{AF_INET, {0}}, 32},
        {{AF_INET6, {0}}, 127}, /* :: and ::1 */
    };

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (cidr_holds(&blocks[i], address)) {
            return true;
        }
    }
    return false;
}

bool
homes_has(struct homes *homes, const struct address *address, int64_t now_ms)
{
    struct address own;
    uint16_t port;

    if (loops_back(address)) {
        return true;
    }
    refresh(homes, now_ms);
    for (struct ifaddrs *i = homes->list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr != NULL &&
            address_read(i->ifa_addr, &own, &port) == 0 &&
            address_equal(&own, address)) {
            return true;
        }
    }
    return false;
}
