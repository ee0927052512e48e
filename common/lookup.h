/*
 * A name look-up that never blocks its caller: getaddrinfo_a(3), whose
 * threads are the C library's own. One look-up at a time.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

struct addrinfo;
struct lookup;

enum lookup_state {
    LOOKUP_PENDING, /* ask again in a few milliseconds */
    LOOKUP_DONE,
    LOOKUP_FAILED,
};

/* Copies host and port. NULL: no memory. */
struct lookup *lookup_open(const char *host, const char *port);

/*
 * Frees it with its last result. A look-up that is still under way can't be
 * stopped: its memory is left to the C library, which yet writes into it.
 */
void lookup_close(struct lookup *lookup);

/* Starts a look-up unless one is under way. */
void lookup_start(struct lookup *lookup);

/* How it stands. *found (stream sockets) is valid until the next start. */
enum lookup_state lookup_result(struct lookup *lookup,
                                const struct addrinfo **found);

/* Why it failed; static. */
const char *lookup_error(const struct lookup *lookup);

#endif
