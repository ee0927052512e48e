/*
 * Internet addresses without a port, and blocks of them, of both families. An
 * IPv4 address inside an IPv6 address stays an IPv6 address: see
 * special_ranges.h for the embedded one. Pure.
 */
#ifndef IP_ADDRESS_H
#define IP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Sizes of buffers for the longest texts, with their NUL. */
enum {
    IP_ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN,
    IP_BLOCK_TEXT_SIZE = IP_ADDRESS_TEXT_SIZE + sizeof("/128") - 1,
};

struct ip_address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* in network order; the first four for AF_INET */
};

/*
 * A block in CIDR notation: 10.0.0.0/8, fc00::/7 (RFC 4632; RFC 4291, 2.3). It
 * has no address of the other family.
 */
struct ip_block {
    struct ip_address first;
    int bits; /* length of the prefix; all later bits of first are 0 */
};

/* 0 with the address and its port, or -1 if it is of another family. */
int ip_address_read(const struct sockaddr *from, struct ip_address *address,
                    uint16_t *port);

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* The text of RFC 5952, without brackets: ::ffff:10.0.0.1. */
void ip_address_format(const struct ip_address *address,
                       char text[IP_ADDRESS_TEXT_SIZE]);

/*
 * Reads text[0..len): an address, then a slash and the length of the prefix; an
 * address alone is a block of one address. Returns NULL, or what is wrong,
 * static.
 */
const char *ip_block_parse(const char *text, size_t len,
                           struct ip_block *block);

bool ip_block_contains(const struct ip_block *block,
                       const struct ip_address *address);

/* True if the block is one address. */
bool ip_block_is_single(const struct ip_block *block);

void ip_block_format(const struct ip_block *block,
                     char text[IP_BLOCK_TEXT_SIZE]);

#endif
