/*
 * special_ranges: the table and its look-up. Sources, as of October 2025:
 *
 *   https://www.iana.org/assignments/iana-ipv4-special-registry
 *   https://www.iana.org/assignments/iana-ipv6-special-registry
 *   https://www.iana.org/assignments/multicast-addresses (RFC 5771)
 *   https://www.iana.org/assignments/ipv6-address-space (only 2000::/3 is
 *   assigned for global unicast)
 *
 * and the vendors' documents for the metadata services, some of which have
 * addresses that look public. All blocks of the registries are here, even if
 * they are marked as globally reachable: no callback has its receiver there.
 */
#include "special_ranges.h"

#include <stddef.h>
#include <string.h>

#define V4(bits_, ...)                                                         \
    .block = {.first = {.family = AF_INET, .bytes = {__VA_ARGS__}},            \
              .bits = (bits_)}
#define V6(bits_, ...)                                                         \
    .block = {.first = {.family = AF_INET6, .bytes = {__VA_ARGS__}},           \
              .bits = (bits_)}

/* In any order: the smallest block counts. */
static const struct special_range ranges[] = {
    {V4(8, 0), "this network", "RFC 791"},
    {V4(32, 0, 0, 0, 0), "this host", "RFC 1122"},
    {V4(8, 10), "private-use", "RFC 1918"},
    {V4(10, 100, 64), "shared address space (CGNAT)", "RFC 6598"},
    {V4(8, 127), "loopback", "RFC 1122"},
    {V4(16, 169, 254), "link-local", "RFC 3927"},
    {V4(12, 172, 16), "private-use", "RFC 1918"},
    {V4(24, 192, 0, 0), "IETF protocol assignments", "RFC 6890"},
    {V4(29, 192, 0, 0, 0), "IPv4 service continuity", "RFC 7335"},
    {V4(32, 192, 0, 0, 8), "IPv4 dummy address", "RFC 7600"},
    {V4(32, 192, 0, 0, 9), "port control anycast", "RFC 7723"},
    {V4(32, 192, 0, 0, 10), "TURN anycast", "RFC 8155"},
    {V4(32, 192, 0, 0, 170), "NAT64/DNS64 discovery", "RFC 8880"},
    {V4(32, 192, 0, 0, 171), "NAT64/DNS64 discovery", "RFC 8880"},
    {V4(24, 192, 0, 2), "documentation (TEST-NET-1)", "RFC 5737"},
    {V4(24, 192, 31, 196), "AS112", "RFC 7535"},
    {V4(24, 192, 52, 193), "multicast tunneling (AMT)", "RFC 7450"},
    {V4(24, 192, 88, 99), "6to4 relay anycast", "RFC 7526"},
    {V4(32, 192, 88, 99, 2), "6a44 relay anycast", "RFC 6751"},
    {V4(16, 192, 168), "private-use", "RFC 1918"},
    {V4(24, 192, 175, 48), "AS112", "RFC 7534"},
    {V4(15, 198, 18), "benchmarking", "RFC 2544"},
    {V4(24, 198, 51, 100), "documentation (TEST-NET-2)", "RFC 5737"},
    {V4(24, 203, 0, 113), "documentation (TEST-NET-3)", "RFC 5737"},
    {V4(4, 224), "multicast", "RFC 5771"},
    {V4(4, 240), "reserved", "RFC 1112"},
    {V4(32, 255, 255, 255, 255), "limited broadcast", "RFC 8190"},

    {V6(0, 0), "not global unicast", "RFC 4291"},
    {V6(3, 0x20), NULL, "RFC 4291"},
    {V6(128, 0), "unspecified", "RFC 4291"},
    {V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "loopback",
     "RFC 4291"},
    {V6(96, 0), "IPv4-compatible", "RFC 4291", .embeds = EMBEDS_LAST},
    {V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), "IPv4-mapped",
     "RFC 4291", .embeds = EMBEDS_LAST},
    {V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), "IPv4-translated", "RFC 2765",
     .embeds = EMBEDS_LAST},
    {V6(96, 0, 0x64, 0xff, 0x9b), "NAT64", "RFC 6052", .embeds = EMBEDS_LAST},
    /* Assumes translation with a /96, which nearly all networks use. */
    {V6(48, 0, 0x64, 0xff, 0x9b, 0, 1), "local-use NAT64", "RFC 8215",
     .embeds = EMBEDS_LAST},
    {V6(64, 0x01, 0), "discard-only", "RFC 6666"},
    {V6(64, 0x01, 0, 0, 0, 0, 0, 0, 1), "dummy prefix", "RFC 9780"},
    {V6(23, 0x20, 0x01), "IETF protocol assignments", "RFC 2928"},
    {V6(32, 0x20, 0x01, 0, 0), "Teredo", "RFC 4380", .embeds = EMBEDS_INVERTED},
    {V6(48, 0x20, 0x01, 0, 2), "benchmarking", "RFC 5180"},
    {V6(32, 0x20, 0x01, 0, 3), "multicast tunneling (AMT)", "RFC 7450"},
    {V6(48, 0x20, 0x01, 0, 4, 0x01, 0x12), "AS112", "RFC 7535"},
    {V6(28, 0x20, 0x01, 0, 0x10), "ORCHID", "RFC 4843"},
    {V6(28, 0x20, 0x01, 0, 0x20), "ORCHIDv2", "RFC 7343"},
    {V6(28, 0x20, 0x01, 0, 0x30), "drone remote ids", "RFC 9374"},
    {V6(32, 0x20, 0x01, 0x0d, 0xb8), "documentation", "RFC 3849"},
    {V6(16, 0x20, 0x02), "6to4", "RFC 3056", .embeds = EMBEDS_6TO4},
    {V6(48, 0x26, 0x20, 0, 0x4f, 0x80, 0), "AS112", "RFC 7534"},
    {V6(20, 0x3f, 0xff), "documentation", "RFC 9637"},
    {V6(16, 0x5f, 0), "SRv6 segment ids", "RFC 9602"},
    {V6(7, 0xfc), "unique-local", "RFC 4193"},
    {V6(10, 0xfe, 0x80), "link-local", "RFC 4291"},
    {V6(10, 0xfe, 0xc0), "site-local", "RFC 3879"},
    {V6(8, 0xff), "multicast", "RFC 4291"},

    {V4(32, 169, 254, 169, 254), "metadata service", "AWS and others",
     .metadata = true},
    {V4(32, 169, 254, 170, 2), "container credentials", "AWS ECS",
     .metadata = true},
    {V4(32, 169, 254, 170, 23), "pod credentials", "AWS EKS", .metadata = true},
    {V4(32, 169, 254, 0, 23), "metadata service", "Tencent Cloud",
     .metadata = true},
    {V4(32, 169, 254, 42, 42), "metadata service", "Scaleway",
     .metadata = true},
    {V4(32, 100, 100, 100, 200), "metadata service", "Alibaba Cloud",
     .metadata = true},
    {V4(32, 192, 0, 0, 192), "metadata service", "Oracle Cloud",
     .metadata = true},
    {V4(32, 168, 63, 129, 16), "WireServer", "Azure", .metadata = true},
    {V6(128, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
     "metadata service", "AWS", .metadata = true},
    {V6(128, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23),
     "pod credentials", "AWS EKS", .metadata = true},
    {V6(128, 0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
     "metadata service", "GCP", .metadata = true},
    {V6(128, 0xfd, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42),
     "metadata service", "Scaleway", .metadata = true},
};

const struct special_range *
special_range_find(const struct ip_address *address)
{
    const struct special_range *smallest = NULL;

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const struct special_range *range = &ranges[i];

        if (ip_block_contains(&range->block, address) &&
            (smallest == NULL || range->block.bits > smallest->block.bits)) {
            smallest = range;
        }
    }
    return smallest == NULL || smallest->name == NULL ? NULL : smallest;
}

bool
special_range_embedded(const struct special_range *range,
                       const struct ip_address *address,
                       struct ip_address *embedded)
{
    const uint8_t *from =
        address->bytes + (range->embeds == EMBEDS_6TO4 ? 2 : 12);
    uint8_t mask = range->embeds == EMBEDS_INVERTED ? 0xff : 0;

    memset(embedded, 0, sizeof(*embedded));
    embedded->family = AF_INET;
    for (int i = 0; i < 4; i++) {
        embedded->bytes[i] = from[i] ^ mask;
    }
    return range->embeds != EMBEDS_NONE;
}
