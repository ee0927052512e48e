/*
 * Which addresses are not of the public Internet, or not plainly so, and what
 * they are instead. One table; pure.
 */
#ifndef RANGE_H
#define RANGE_H

#include <stdbool.h>

#include "address.h"
#include "cidr.h"

/* Where a range's addresses carry an IPv4 address that they stand for. */
enum range_embeds {
    EMBEDS_NONE,
    EMBEDS_LAST,     /* in the last four bytes */
    EMBEDS_INVERTED, /* there, all bits inverted (RFC 4380, 4) */
    EMBEDS_6TO4,     /* behind the first two bytes (RFC 3056, 2) */
};

struct range {
    struct cidr block;
    const char *name;
    const char *source; /* who says so: an RFC, or a vendor */
    bool metadata;      /* answers whoever asks with a cloud's credentials */
    enum range_embeds embeds;
};

/* The narrowest range that holds address; NULL: it is a public one. */
const struct range *range_find(const struct address *address);

/* True with the IPv4 address that address, of that range, stands for. */
bool range_embedded(const struct range *range, const struct address *address,
                    struct address *embedded);

#endif
