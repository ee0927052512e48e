/*
 * The connection below redis.h, private to this room: `struct redis`, and what
 * redis.c needs of connection.c to run scripts on it.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "command.h"
#include "guide.h"
#include "handshake.h"
#include "link.h"
#include "redis.h"
#include "redis_url.h"

struct redisReply;

enum connection_phase {
    CONNECTION_PAUSED,    /* until the next attempt */
    CONNECTION_ASKING,    /* the guide asks for the master */
    CONNECTION_RESOLVING, /* the host's name is being looked up */
    CONNECTION_HANDSHAKE, /* a socket connects; then the handshake */
    CONNECTION_READY,     /* scripts can be run */
};

struct redis {
    /* The connection: connection.c. */
    struct redis_options options;
    struct redis_url url;
    struct peers peers; /* see redis_visit_peers */
    char *client_name;
    char *sentinel_user;
    char *sentinel_password;
    int epoll_fd; /* holds the sockets and the timer */
    int timer_fd;
    enum connection_phase phase;
    enum redis_state state;
    int64_t due_ms; /* monotonic: time limit of the phase or of a review, next
                       attempt, next review */
    struct tls_context *tls; /* of all links; NULL: no TLS */
    struct link link;        /* to Redis */
    struct guide *guide;     /* NULL: the url names Redis itself */
    int64_t redirected_ms;   /* monotonic: the last connection_redirect */
    bool unwatched;          /* no server names the master; was said */
    uint64_t connections;    /* number of times that it was READY */
    struct handshake handshake;
    bool reviewing;      /* while READY: replies to a review are awaited */
    bool unsure;         /* some of them were errors that end by themselves */
    int64_t reviewed_ms; /* monotonic: start of the last handshake or review */
    char error[1024];    /* see redis_error */

    /* The run of a script: redis.c. */
    struct command command; /* the last call, or the next while it is built */
    bool running;     /* a reply is awaited; not if the socket was closed */
    int64_t end_ms;   /* monotonic: time limit of the run */
    bool guide_ready; /* redis_await was woken by the guide alone */
    bool by_text;     /* the script was sent as text, not by its SHA-1 */
    struct redisReply *reply;      /* of the last run; NULL: none yet */
    struct redisReply *wait_reply; /* of the WAIT after it; NULL: none yet */
};

/*
 * Starts an attempt to connect. With a guide it begins by asking for the
 * master.
 */
void connection_start(struct redis *redis);

/* Sets the error to "what (address): why". */
void connection_set_error(struct redis *redis, const char *what,
                          const char *why);

/*
 * Closes a broken connection and connects again at once. The state becomes
 * REDIS_STATE_CONNECTING: Redis counts as down only if this attempt fails.
 */
void connection_reconnect(struct redis *redis, const char *why);

/*
 * The server says that another one has the slot: connects to that at once, as
 * connection_reconnect does. Only for a cluster.
 */
void connection_redirect(struct redis *redis, const struct server_address *to);

/* Closes the connection; the next attempt follows after a pause. */
void connection_give_up(struct redis *redis, const char *why);

/* Closes what is open; the next attempt follows after a pause. The error is set
   already. */
void connection_pause(struct redis *redis, enum redis_state state);

/* Sets due_ms, and the timer. 0: never. */
void connection_set_due(struct redis *redis, int64_t delay_ms);

#endif
