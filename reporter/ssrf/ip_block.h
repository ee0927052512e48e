/*
 * A block of addresses: 10.0.0.0/8, fc00::/7 (RFC 4632, RFC 4291, 2.3). A
 * block of one family holds no address of the other.
 */
#ifndef IP_BLOCK_H
#define IP_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "net/ip_address.h"

/* Size of a buffer for the longest text, with its NUL. */
enum { IP_BLOCK_TEXT_SIZE = IP_ADDRESS_TEXT_SIZE + sizeof("/128") - 1 };

struct ip_block {
    struct ip_address first; /* all bits behind the first `bits` are 0 */
    int bits;
};

/*
 * Reads text[0..len): an address and, unless the block is that address alone,
 * a slash and its number of bits. Returns NULL, or what is wrong, static.
 */
const char *ip_block_parse(const char *text, size_t len,
                           struct ip_block *block);

bool ip_block_holds(const struct ip_block *block,
                    const struct ip_address *address);

/* True where the block is one address. */
bool ip_block_is_single(const struct ip_block *block);

void ip_block_format(const struct ip_block *block,
                     char text[IP_BLOCK_TEXT_SIZE]);

#endif
