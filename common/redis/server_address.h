/*
 * The address of a server as another server names it: Sentinel, or a node of a
 * Redis Cluster. Private to this room.
 */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server_address {
    char host[256]; /* name or address without brackets */
    char port[8];   /* decimal */
};

/*
 * Sets *address to a host and a port. False, and nothing is set, if they are
 * none: another server may have sent any bytes.
 */
bool server_address_set(struct server_address *address, const char *host,
                        size_t host_len, int64_t port);

/* True if both have the same text. */
bool server_address_equals(const struct server_address *address,
                           const char *host, const char *port);

#endif
