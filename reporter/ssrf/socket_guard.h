/*
 * The way of one transfer to its peer: the guard is asked for each address
 * that libcurl is about to connect to, and for that of a connection that is
 * used again; whether such a connection is clean; and whether we had a socket
 * to go there with.
 */
#ifndef SOCKET_GUARD_H
#define SOCKET_GUARD_H

#include <curl/curl.h>
#include <stdbool.h>

#include "address_policy.h"
#include "net/kept_sockets.h"

/* Zeroed: not started. In the memory of who makes the transfer. */
struct socket_guard {
    CURL *easy;                    /* borrowed */
    struct address_policy *policy; /* borrowed; NULL: all may be called */
    struct kept_sockets *kept;     /* borrowed */
    int four;                      /* fd, the last opened of IPv4; -1: none */
    int six;                       /* and of IPv6 */
    bool unclean;                  /* libcurl chose a kept connection that is */
    bool wary;        /* for good: connect() failed with EADDRNOTAVAIL once */
    int no_resources; /* errno: there was no socket; 0: there was */
    bool permitted;   /* by the guard: some address of it */
    char refusal[ADDRESS_POLICY_WHY_SIZE]; /* why the last one was not; "": it
                                              was */
};

/* Has easy ask passage, which must outlive it. 0, or -1. */
int socket_guard_watch(struct socket_guard *guard, CURL *easy);

/* Before each transfer. guard may be NULL. */
void socket_guard_start(struct socket_guard *guard,
                        struct address_policy *policy,
                        struct kept_sockets *kept);

/* Why the guard refused the address; "" if it did not. */
const char *socket_guard_refusal(const struct socket_guard *guard);

/*
 * After the transfer ended with code: errno of what we had none of, a socket
 * or a port of our own for it; 0 if that was not the reason.
 */
int socket_guard_no_resources(const struct socket_guard *guard, CURLcode code);

/*
 * After the transfer ended with code. True if it is to be started again as it
 * is, at once, as nothing was sent: the kept connection was not clean, and now
 * it will go by a new one; or there was no port of our own or, no less likely,
 * no address of our own for one of the peer's, and now the latter are left
 * out. At most one of each in a row.
 */
bool socket_guard_is_to_renew(struct socket_guard *guard, CURLcode code);

#endif
