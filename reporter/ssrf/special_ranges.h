/*
 * Which addresses are not of the public Internet, or not plainly so, and what
 * they are instead. One table; pure.
 */
#ifndef SPECIAL_RANGES_H
#define SPECIAL_RANGES_H

#include <stdbool.h>

#include "ip_block.h"
#include "net/ip_address.h"

/* Where a range's addresses carry an IPv4 address that they stand for. */
enum special_range_embeds {
    EMBEDS_NONE,
    EMBEDS_LAST,     /* in the last four bytes */
    EMBEDS_INVERTED, /* there, all bits inverted (RFC 4380, 4) */
    EMBEDS_6TO4,     /* behind the first two bytes (RFC 3056, 2) */
};

struct special_range {
    struct ip_block block;
    const char *name;
    const char *source; /* who says so: an RFC, or a vendor */
    bool metadata;      /* answers whoever asks with a cloud's credentials */
    enum special_range_embeds embeds;
};

/* The narrowest range that holds address; NULL: it is a public one. */
const struct special_range *
special_range_find(const struct ip_address *address);

/* True with the IPv4 address that address, of that range, stands for. */
bool special_range_embedded(const struct special_range *range,
                            const struct ip_address *address,
                            struct ip_address *embedded);

#endif
