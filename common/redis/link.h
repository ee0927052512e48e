/*
 * A socket to one server, of Redis or Sentinel: its name is looked up, its
 * addresses are connected to in turn. Nothing blocks. hiredis buffers what is
 * written and parses what is read. Whether TLS is between the two is an affair
 * of the link alone. Who uses a link has the time limits, and decides what a
 * failure means. Private to this room.
 */
#ifndef LINK_H
#define LINK_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "attempt.h"
#include "peers.h"
#include "resolver.h"
#include "tls_context.h"
#include "tls_socket.h"

struct redisContext;

struct link {
    int epoll_fd;                  /* borrowed; watches the socket */
    struct tls_context *tls;       /* borrowed; NULL: no TLS */
    struct peers *peers;           /* borrowed; notes where it connects to */
    char *name;                    /* for messages: the path, or host:port */
    char *host;                    /* NULL: a unix socket */
    struct resolver *resolver;     /* NULL: a unix socket */
    bool resolving;                /* link_resolve is to be called */
    struct attempt attempt;        /* the last, or the one under way */
    struct redisContext *context;  /* non-blocking; NULL: there is no socket */
    struct tls_socket *tls_socket; /* on the socket of context; NULL: no TLS */
    size_t written;        /* bytes of hiredis's buffer that TLS has taken */
    bool unsent;           /* there is more to write */
    bool heard;            /* the server has sent something without TLS */
    uint32_t events;       /* that epoll_fd watches */
    char error[512];       /* see link_why */
    struct addrinfo local; /* of a unix socket; else not used */
    struct sockaddr_un local_address;
};

/*
 * Sets the target of link_start, and closes the socket. False: no memory.
 * The first needs a path that fits into a sockaddr_un.
 */
bool link_aim_at_path(struct link *link, const char *path);
bool link_aim_at_host(struct link *link, const char *host, const char *port);

/* Starts an attempt: link_resolve has to be called until it is not pending. */
void link_start(struct link *link);

/* RESOLVER_DONE: link_connect can be called. See link_error for FAILED. */
enum resolver_state link_resolve(struct link *link);

/* Why the look-up failed; static. */
const char *link_error(const struct link *link);

/* True if there is an address that was not tried. */
bool link_has_next(const struct link *link);

/*
 * Connects to the next address; there must be one. The socket is watched for
 * reading and writing. Returns NULL, or why it cannot, valid until the next
 * call of strerror or for this link.
 */
const char *link_connect(struct link *link);

/*
 * Writes as much of hiredis's buffer as the socket takes; `unsent` tells
 * whether some is left. False: the connection is broken, see link_why.
 */
bool link_write(struct link *link);

/* Reads what has come. False: the connection is broken, see link_why. */
bool link_read(struct link *link);

/*
 * Reads what has come after writing what is left, also if that fails: a server
 * that refuses a client says why and closes. Then watches the socket for what
 * it waits for. False: the connection is broken, see link_why.
 */
bool link_exchange(struct link *link);

/* Why the connection is broken; valid until the next call for this link. */
const char *link_why(const struct link *link);

/* Why there is no answer in time; static. */
const char *link_silence(const struct link *link);

/* For poll: what the socket is waited for. */
short link_events(const struct link *link);

/*
 * Looks, without blocking, whether bytes have come that nobody asked for, or
 * the connection is closed. NULL: neither; else what has happened. reading:
 * bytes are expected.
 */
const char *link_look(struct link *link, bool reading);

void link_close(struct link *link);

/* Closes the link and frees what it has. */
void link_fini(struct link *link);

#endif
