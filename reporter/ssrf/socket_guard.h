/*
 * Guards the sockets of one transfer of libcurl. Before each connect, and
 * before a kept connection is used again, address_policy.h checks the address,
 * and kept_sockets.h checks that a kept connection is clean. After the
 * transfer, the guard tells whether this host had no socket or port for it.
 */
#ifndef SOCKET_GUARD_H
#define SOCKET_GUARD_H

#include <curl/curl.h>
#include <stdbool.h>

#include "address_policy.h"
#include "net/kept_sockets.h"

/* Zeroed: not started. In the memory of the user; no field is to be read. */
struct socket_guard {
    CURL *easy;                    /* borrowed */
    struct address_policy *policy; /* borrowed; NULL: all may be called */
    struct kept_sockets *kept;     /* borrowed */
    int ipv4_fd;       /* the last socket opened for IPv4; -1: none */
    int ipv6_fd;       /* the same for IPv6 */
    bool unclean;      /* libcurl chose a kept connection that is not clean */
    bool check_source; /* for good: connect() failed with EADDRNOTAVAIL once */
    int no_resources;  /* errno: no socket could be opened; 0: one could */
    bool permitted;    /* by the policy: at least one address of the host */
    bool requested;    /* a connection was made or chosen, and is used */
    char refusal[ADDRESS_POLICY_WHY_SIZE]; /* why the policy refused the last
                                              address; "": it did not */
};

/* Makes easy call the guard, which must outlive it. 0, or -1: no memory. */
int socket_guard_watch(struct socket_guard *guard, CURL *easy);

/* To be called before each transfer. policy may be NULL: all may be called. */
void socket_guard_start(struct socket_guard *guard,
                        struct address_policy *policy,
                        struct kept_sockets *kept);

/* Why no address of the host may be called; "" if at least one may. */
const char *socket_guard_refusal(const struct socket_guard *guard);

/*
 * True if the transfer under way, or that has ended, has no connection yet: not
 * even the TLS handshake has begun.
 */
bool socket_guard_is_connecting(const struct socket_guard *guard);

/* To be called before the transfer is run again with other addresses of the
   same host, none of which is connected to. */
void socket_guard_go_on(struct socket_guard *guard);

/*
 * For a transfer that ended with code: the errno if it failed because this host
 * had no socket or local port for it; else 0.
 */
int socket_guard_no_resources(const struct socket_guard *guard, CURLcode code);

/*
 * For a transfer that ended with code: true if it is to be started again at
 * once, unchanged, because nothing was sent and the next run differs:
 *
 *   the kept connection was not clean: it will use a new connection;
 *   connect() failed with EADDRNOTAVAIL: it will leave out the addresses that
 *   this host has no source address for. If the reason was a lack of local
 *   ports, it fails again.
 *
 * Each happens at most once in a row.
 */
bool socket_guard_is_to_renew(struct socket_guard *guard, CURLcode code);

#endif
