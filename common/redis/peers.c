/*
 * peers: the oldest address is overwritten once the ring is full.
 */
#include "peers.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/* 0: it is no Internet address. */
static socklen_t
size_of(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return 0;
    }
}

size_t
peers_count(const struct peers *peers)
{
    return peers->count < PEERS_MAX ? peers->count : PEERS_MAX;
}

void
peers_add(struct peers *peers, const struct sockaddr *address)
{
    struct sockaddr_storage copy = {0};
    socklen_t size = size_of(address);

    if (size == 0) {
        return;
    }
    memcpy(&copy, address, size);
    for (size_t i = 0; i < peers_count(peers); i++) {
        if (memcmp(&peers->list[i], &copy, sizeof(copy)) == 0) {
            return;
        }
    }
    peers->list[peers->count++ % PEERS_MAX] = copy;
}

void
peers_add_text(struct peers *peers, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found) == 0) {
        peers_add(peers, found->ai_addr);
        freeaddrinfo(found);
    }
}
