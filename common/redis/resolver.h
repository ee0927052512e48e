/*
 * A name look-up that never blocks its caller: getaddrinfo_a(3), whose
 * threads are the C library's own. One look-up at a time.
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

/* Copies host and port. NULL: no memory. */
struct resolver *resolver_open(const char *host, const char *port);

/*
 * Frees it with its last result. A look-up that is still under way can't be
 * stopped: its memory is left to the C library, which yet writes into it.
 */
void resolver_close(struct resolver *resolver);

/* Starts a look-up unless one is under way. */
void resolver_start(struct resolver *resolver);

/* How it stands. *found (stream sockets) is valid until the next start. */
enum resolver_state resolver_result(struct resolver *resolver,
                                    const struct addrinfo **found);

/* Why it failed; static. */
const char *resolver_error(const struct resolver *resolver);

#endif
