/*
 * An Internet address without its port, of either family. IPv4 inside IPv6
 * stays what it is, an IPv6 address: see range.h for what it embeds.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Size of a buffer for the longest text, with its NUL. */
enum { ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

struct address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* in network order; for AF_INET the first four */
};

/* 0 with the address and its port, or -1 for any other family. */
int address_read(const struct sockaddr *from, struct address *address,
                 uint16_t *port);

bool address_equal(const struct address *a, const struct address *b);

/* RFC 5952: ::ffff:10.0.0.1, without brackets. */
void address_format(const struct address *address,
                    char text[ADDRESS_TEXT_SIZE]);

#endif
