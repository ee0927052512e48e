/*
 * The Internet addresses at which Redis is: those that a connection was tried
 * at, sentinels and masters of before too, and what they say of replicas. For
 * those who must not let anything else connect there. Private to this room; see
 * redis_visit_peers.
 */
#ifndef PEERS_H
#define PEERS_H

#include <stddef.h>
#include <sys/socket.h>

enum { PEERS_MAX = 64 };

struct peers {
    struct sockaddr_storage list[PEERS_MAX]; /* a ring */
    size_t count; /* so far; may be more than the ring has */
};

/* Adds an address; one that is no Internet address is ignored. */
void peers_add(struct peers *peers, const struct sockaddr *address);

/* The same, if host and port are numbers; a name is ignored. */
void peers_add_text(struct peers *peers, const char *host, const char *port);

size_t peers_count(const struct peers *peers);

#endif
