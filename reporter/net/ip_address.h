/*
 * An Internet address without its port, of either family. IPv4 inside IPv6
 * stays what it is, an IPv6 address: see special_ranges.h for what it embeds.
 */
#ifndef IP_ADDRESS_H
#define IP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Size of a buffer for the longest text, with its NUL. */
enum { IP_ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

struct ip_address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* in network order; for AF_INET the first four */
};

/* 0 with the address and its port, or -1 for any other family. */
int ip_address_read(const struct sockaddr *from, struct ip_address *address,
                    uint16_t *port);

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* RFC 5952: ::ffff:10.0.0.1, without brackets. */
void ip_address_format(const struct ip_address *address,
                       char text[IP_ADDRESS_TEXT_SIZE]);

#endif
