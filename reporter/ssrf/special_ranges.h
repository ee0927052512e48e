/*
 * The table of special-purpose addresses: blocks that are not, or may not be,
 * part of the public Internet. Pure.
 */
#ifndef SPECIAL_RANGES_H
#define SPECIAL_RANGES_H

#include <stdbool.h>

#include "base/ip_address.h"

/* The place of an IPv4 address that is embedded in an IPv6 address. */
enum special_range_embeds {
    EMBEDS_NONE,
    EMBEDS_LAST,     /* in the last four bytes */
    EMBEDS_INVERTED, /* there, with all bits inverted (RFC 4380, 4) */
    EMBEDS_6TO4,     /* after the first two bytes (RFC 3056, 2) */
};

struct special_range {
    struct ip_block block;
    const char *name;   /* NULL: a public block inside a special block */
    const char *source; /* the RFC, or the vendor */
    bool metadata;      /* gives a cloud's credentials to any client */
    enum special_range_embeds embeds;
};

/* The smallest range that contains address; NULL if the address is public. */
const struct special_range *
special_range_find(const struct ip_address *address);

/*
 * Sets *embedded to the IPv4 address inside address, which is in that range;
 * false if the range has none.
 */
bool special_range_embedded(const struct special_range *range,
                            const struct ip_address *address,
                            struct ip_address *embedded);

#endif
