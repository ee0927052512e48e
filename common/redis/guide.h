/*
 * Asks other servers for the master, again and again, for the whole life of a
 * connection: sentinels, or the nodes of a Redis Cluster. They are asked in
 * turn until one names the master, and then that one is asked on. If it is cut
 * off from the others, it would not learn of a failover: then the next is
 * asked. Nothing blocks. Private to this room.
 */
#ifndef GUIDE_H
#define GUIDE_H

#include <stdint.h>

#include "guide_dialect.h"
#include "link.h"
#include "redis_url.h"

enum { GUIDE_SERVERS_MAX = REDIS_HOSTS_MAX + GUIDE_NODES_MAX };

enum guide_phase {
    GUIDE_IDLE,      /* until the next question */
    GUIDE_RESOLVING, /* the server's name is being looked up */
    GUIDE_ASKING,    /* connects, or waits for the reply */
    GUIDE_CHECKING,  /* the server is asked whether it is cut off */
};

enum guide_state {
    GUIDE_PENDING, /* nothing is known since guide_ask */
    GUIDE_NAMED,   /* see master */
    GUIDE_FAILED,  /* none names the master: see tried */
};

struct guide_options {
    const struct guide_dialect *dialect;
    struct guide_question question; /* its url has hosts */
    const char *user;               /* of the servers; NULL or "": none */
    const char *password;           /* NULL or "": none */
    int64_t timeout_ms;             /* for each address of a server */
    int epoll_fd;                   /* borrowed; watches the sockets */
    struct tls_context *tls;        /* borrowed; NULL: no TLS */
    struct peers *peers;            /* borrowed */
};

struct guide_server {
    struct server_address address;
    int64_t failed_ms; /* monotonic: the last time; 0: not lately */
};

struct guide {
    struct guide_options options;
    struct link link;
    enum guide_phase phase;
    enum guide_state state;
    int64_t due_ms;    /* monotonic: the next question, or a time limit */
    int64_t rested_ms; /* monotonic: the end of the last question */
    /* The hosts of the url, and behind them those that were learnt. */
    struct guide_server servers[GUIDE_SERVERS_MAX];
    size_t server_count;
    size_t current;   /* index of the server that is asked */
    size_t failures;  /* servers that failed since the last answer */
    unsigned answers; /* of the current one, on its open link */
    bool logging_in;  /* the reply to AUTH comes first */
    int replies;      /* to the question, that have come */
    struct server_address master; /* as it was named last; "": never */
    char target[128];             /* what it is the master of */
    int64_t masters;              /* as of the last answer; 0: none yet */
    char tried[800];              /* the servers that failed, with reasons */
};

/* Starts to ask; options is copied, its texts are borrowed. */
void guide_init(struct guide *guide, const struct guide_options *options);
void guide_fini(struct guide *guide);

/* Asks anew: the state is pending until a server has named the master. */
void guide_ask(struct guide *guide);

/*
 * The master that was named cannot be used: the next question goes to another
 * server, as this one may be cut off from the others, or lie.
 */
void guide_doubt(struct guide *guide);

/* The old master itself has named the new one. */
void guide_learn(struct guide *guide, const struct server_address *master);

/* The next question comes soon: something has changed. */
void guide_hasten(struct guide *guide);

/* Goes on. To be called if a socket is ready, and at due_ms. */
void guide_step(struct guide *guide);

#endif
