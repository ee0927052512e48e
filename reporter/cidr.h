/*
 * A block of addresses: 10.0.0.0/8, fc00::/7 (RFC 4632, RFC 4291, 2.3). A
 * block of one family holds no address of the other.
 */
#ifndef CIDR_H
#define CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"

/* Size of a buffer for the longest text, with its NUL. */
enum { CIDR_TEXT_SIZE = ADDRESS_TEXT_SIZE + sizeof("/128") - 1 };

struct cidr {
    struct address first; /* all bits behind the first `bits` are 0 */
    int bits;
};

/*
 * Reads text[0..len): an address and, unless the block is that address alone,
 * a slash and its number of bits. Returns NULL, or what is wrong, static.
 */
const char *cidr_parse(const char *text, size_t len, struct cidr *cidr);

bool cidr_holds(const struct cidr *cidr, const struct address *address);

/* True where the block is one address. */
bool cidr_is_single(const struct cidr *cidr);

void cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_SIZE]);

#endif
