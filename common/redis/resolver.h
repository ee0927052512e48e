/*
 * Looks up the addresses of a name without blocking the caller: /etc/hosts
 * first, then the name servers of /etc/resolv.conf, by c-ares. A resolver is
 * for one name and runs one look-up at a time.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

struct addrinfo;
struct resolver;

enum resolver_state {
    RESOLVER_PENDING, /* ask again in a few milliseconds */
    RESOLVER_DONE,
    RESOLVER_FAILED,
};

/* Copies host and port, a number. NULL: no memory. */
struct resolver *resolver_open(const char *host, const char *port);

/* Frees the resolver and its last result, and stops its look-up. */
void resolver_close(struct resolver *resolver);

/* Starts a look-up, unless a look-up is under way. */
void resolver_start(struct resolver *resolver);

/*
 * The state of the last look-up. If it is RESOLVER_DONE, *found is the list of
 * addresses (stream sockets), valid until the next start.
 */
enum resolver_state resolver_result(struct resolver *resolver,
                                    const struct addrinfo **found);

/* Why the last look-up failed; static. */
const char *resolver_error(const struct resolver *resolver);

#endif
