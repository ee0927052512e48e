/*
 * One attempt to connect, which tries all addresses of a name in turn. It ends
 * with the first address that can be used; if none can, this module says what
 * that means. Private to this room.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include "redis.h"

struct addrinfo;

/*
 * What is wrong with an address. The greatest of all addresses decides the end
 * of the attempt: an address that may become usable by itself gives hope, and
 * an answer says more than none.
 */
enum attempt_finding {
    ATTEMPT_NO_ANSWER,
    ATTEMPT_UNUSABLE, /* not before an operator changes something */
    ATTEMPT_NOT_YET,  /* loading, a replica, too many clients */
};

struct attempt {
    const struct addrinfo
        *address;                 /* tried last; NULL: a unix socket, or none */
    const struct addrinfo *next;  /* first untried; NULL: none is left */
    enum attempt_finding finding; /* the greatest so far */
    char tried[800]; /* all addresses so far, each with its reason */
};

/* Starts an attempt with this list of addresses; NULL: a unix socket. */
void attempt_start(struct attempt *attempt, const struct addrinfo *addresses);

/*
 * Takes the next address; there must be one. Borrowed from the list.
 */
const struct addrinfo *attempt_next(struct attempt *attempt);

/*
 * Notes why the address that was taken last cannot be used. Returns the reason
 * of the whole attempt so far; if the name has several addresses, it names
 * them. Valid until the next call, or as long as why.
 */
const char *attempt_fail(struct attempt *attempt, enum attempt_finding finding,
                         const char *why);

/* The finding in words, static. */
const char *attempt_what(const struct attempt *attempt);

/* The state of the connection if this was the last address. */
enum redis_state attempt_state(const struct attempt *attempt);

#endif
