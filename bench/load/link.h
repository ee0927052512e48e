/*
 * One keep-alive connection: connects, sends a request, receives its answer,
 * connects again after it was closed. Non-blocking; its fd is watched by the
 * epoll that it is given.
 */
#ifndef LINK_H
#define LINK_H

#include <netdb.h>
#include <stdbool.h>

#include "answer.h"
#include "outcome.h"
#include "plan.h"

/* What the last step came to. */
enum link_state {
    LINK_IDLE,     /* nothing under way; may send */
    LINK_BUSY,     /* waiting for its answer */
    LINK_ANSWERED, /* answer is set */
    LINK_FAILED,   /* error is set; the connection is closed */
};

/* Fields are for reading; link_* set them. */
struct link {
    int epoll_fd;
    int fd;                      /* -1: not connected */
    bool busy;                   /* between a request and its answer */
    bool connected;              /* connect(2) has succeeded */
    const struct addrinfo *peer; /* borrowed */
    const char *peer_name;       /* for the Host header; borrowed */
    struct answer answer;        /* of LINK_ANSWERED */
    enum outcome_error error;    /* of LINK_FAILED */
    size_t out_len, out_done;    /* of out, and how much of it is sent */
    size_t in_len;               /* of in */
    char out[PLAN_TARGET_SIZE + 512];
    char in[16384];
};

void link_init(struct link *link, int epoll_fd, const struct addrinfo *peer,
               const char *peer_name);
void link_fini(struct link *link);

/* Starts a request. LINK_BUSY or LINK_FAILED. */
enum link_state link_send(struct link *link, const char *target);

/* After epoll said `events` of it. */
enum link_state link_step(struct link *link, uint32_t events);

/* Closes a connection whose answer takes too long. */
void link_abandon(struct link *link);

#endif
