/*
 * Asks sentinels for the master, again and again, for the whole life of a
 * connection: the sentinels are asked in turn until one names the master, and
 * then that one is asked once a second. Nothing blocks. Private to this room.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
#ifndef SENTINEL_H
#define SENTINEL_H

#include <stdint.h>

#include "link.h"
#include "redis_url.h"

enum { SENTINEL_INTERVAL_MS = 1000 }; /* between two questions */

enum sentinel_phase {
    SENTINEL_IDLE,      /* until the next question */
    SENTINEL_RESOLVING, /* the sentinel's name is being looked up */
    SENTINEL_ASKING,    /* connects, or waits for the reply */
};

enum sentinel_state {
    SENTINEL_PENDING, /* nothing is known since sentinel_ask */
    SENTINEL_NAMED,   /* see host and port */
    SENTINEL_FAILED,  /* none names the master: see tried */
};

struct sentinel_options {
    const struct redis_url *url; /* borrowed; has a master */
    const char *user;            /* of the sentinels; NULL or "": none */
    const char *password;        /* NULL or "": none */
    int64_t timeout_ms;          /* for each address of a sentinel */
    int epoll_fd;                /* borrowed; watches the sockets */
    struct tls_context *tls;     /* borrowed; NULL: no TLS */
};

struct sentinel {
    struct sentinel_options options;
    struct link link;
    enum sentinel_phase phase;
    enum sentinel_state state;
    int64_t due_ms;        /* monotonic: the next question, or a time limit */
    size_t current;        /* index of the sentinel that is asked */
    size_t failures;       /* sentinels that failed since the last answer */
    bool logging_in;       /* the reply to AUTH comes first */
    char host[NI_MAXHOST]; /* of the master, as it was named last */
    char port[8];          /* "": never */
    char tried[800];       /* the sentinels that failed, with reasons */
};

/* Starts to ask; options is copied, its texts are borrowed. */
void sentinel_init(struct sentinel *sentinel,
                   const struct sentinel_options *options);
void sentinel_fini(struct sentinel *sentinel);

/* Asks anew: the state is pending until a sentinel has named the master. */
void sentinel_ask(struct sentinel *sentinel);

/*
 * The master that was named cannot be used: the next question goes to another
 * sentinel, as this one may be cut off from the others, or lie.
 */
void sentinel_doubt(struct sentinel *sentinel);

/* Goes on. To be called if a socket is ready, and at due_ms. */
void sentinel_step(struct sentinel *sentinel);

#endif
