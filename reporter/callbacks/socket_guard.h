/*
 * The way of one attempt to its receiver: the guard is asked for each address
 * that libcurl is about to connect to, and for the one of a connection that is
 * used again; and whether we had a socket to go there with.
 */
#ifndef SOCKET_GUARD_H
#define SOCKET_GUARD_H

#include <curl/curl.h>
#include <stdbool.h>

#include "ssrf/address_policy.h"

/* Zeroed: not started. In the memory of who makes the attempt. */
struct socket_guard {
    struct address_policy *policy; /* borrowed */
    int no_resources; /* errno: there was no socket; 0: there was */
    bool permitted;   /* by the guard: some address of it */
    char refusal[ADDRESS_POLICY_WHY_SIZE]; /* why the last one was not; "": it
                                              was */
};

/* Has easy ask passage, which must outlive it. 0, or -1. */
int socket_guard_watch(struct socket_guard *guard, CURL *easy);

/* Before each attempt. */
void socket_guard_start(struct socket_guard *guard,
                        struct address_policy *policy);

/* Why the guard refused the address; "" where it did not. */
const char *socket_guard_refusal(const struct socket_guard *guard);

/*
 * After the transfer ended with code: errno of what we had none of, a socket
 * or a port of our own for it; 0 where that was not the reason.
 */
int socket_guard_no_resources(const struct socket_guard *guard, CURL *easy,
                              CURLcode code);

#endif
