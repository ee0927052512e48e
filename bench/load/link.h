/*
 * One keep-alive connection: connects, sends a request, receives the answer. If
 * it was closed, it connects again. It never blocks; its fd is in the caller's
 * epoll set.
 */
#ifndef LINK_H
#define LINK_H

#include <netdb.h>
#include <stdbool.h>

#include "answer.h"
#include "outcome.h"
#include "plan.h"

/* The result of the last step. */
enum link_state {
    LINK_IDLE,     /* no request under way; may send */
    LINK_BUSY,     /* waits for an answer */
    LINK_ANSWERED, /* answer is set */
    LINK_FAILED,   /* error is set; the connection is closed */
};

/* Only the functions link_* change the members. */
struct link {
    int epoll_fd;
    int fd;                      /* -1: not connected */
    bool busy;                   /* between a request and its answer */
    bool connected;              /* connect(2) has succeeded */
    const struct addrinfo *peer; /* borrowed */
    const char *peer_name;       /* for the Host header; borrowed */
    struct answer answer;        /* of LINK_ANSWERED */
    enum outcome_error error;    /* of LINK_FAILED */
    size_t out_len, out_done;    /* bytes of out, and of these, sent */
    size_t in_len;               /* bytes of in */
    char out[PLAN_TARGET_SIZE + 512];
    char in[16384];
};

void link_init(struct link *link, int epoll_fd, const struct addrinfo *peer,
               const char *peer_name);
void link_fini(struct link *link);

/* Starts a request. LINK_BUSY or LINK_FAILED. */
enum link_state link_send(struct link *link, const char *target);

/* To be called if epoll reports `events` for its fd. */
enum link_state link_step(struct link *link, uint32_t events);

/* Closes the connection because its answer takes too long. */
void link_abandon(struct link *link);

#endif
