/*
 * One connection from the web server: bytes in, requests out, and the answers
 * back. It never blocks, and reads no further than the request that it has
 * handed out. Who watches and closes it, and when, is listener.h.
 */
#ifndef FCGI_CONN_H
#define FCGI_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fcgi_record.h"
#include "request.h"
#include "response.h"

enum fcgi_conn_state {
    FCGI_CONN_NEW,     /* just accepted */
    FCGI_CONN_WAITING, /* for the rest of a request */
    FCGI_CONN_SERVED,  /* its request was handed out, and not released yet */
    FCGI_CONN_IDLE,    /* kept: no byte of a next request has come */
};

struct fcgi_conn {
    int fd;
    enum fcgi_conn_state state;
    bool watched;     /* it is in the epoll set */
    bool ready;       /* it is in the listener's list of those to read */
    bool failed;      /* an answer could not be written: close it */
    int64_t until_ms; /* monotonic: when its state has lasted too long */
    struct fcgi_record_parser parser;
    uint8_t *ahead; /* malloc'd: bytes of a next request that came early */
    size_t ahead_len;
    TAILQ_ENTRY(fcgi_conn) link; /* in the listener's list of its state */
    TAILQ_ENTRY(fcgi_conn) ready_link;
};

/* A request that was read, and the connection that waits for its answer. */
struct fcgi_exchange {
    struct fcgi_conn *conn;
    struct request request;
    int64_t since_us;                 /* monotonic: when it was gathered */
    STAILQ_ENTRY(fcgi_exchange) link; /* in the list where it is now */
};

STAILQ_HEAD(fcgi_exchange_list, fcgi_exchange);

/*
 * Memory that all connections of a responder share: of those that are being
 * read, and of closed ones for new ones.
 */
struct fcgi_conn_buffers;

/* NULL: no memory. */
struct fcgi_conn_buffers *fcgi_conn_buffers_open(void);
void fcgi_conn_buffers_close(struct fcgi_conn_buffers *buffers);

/* Takes over fd. NULL: no memory; fd is closed then. */
struct fcgi_conn *fcgi_conn_open(int fd, struct fcgi_conn_buffers *buffers);
void fcgi_conn_close(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers);

enum fcgi_conn_result {
    FCGI_CONN_MORE,    /* no whole request yet */
    FCGI_CONN_REQUEST, /* *exchange has one */
    FCGI_CONN_OVER,    /* the peer is gone, or does not speak FastCGI */
};

/*
 * Reads what has come. Returns FCGI_CONN_REQUEST with the parsed request in
 * *exchange, which must not be moved until it is answered.
 */
enum fcgi_conn_result fcgi_conn_read(struct fcgi_conn *conn,
                                     struct fcgi_conn_buffers *buffers,
                                     struct fcgi_exchange *exchange);

/*
 * Writes the response. A peer that does not take it at once, though a socket's
 * buffer has room for hundreds of them, has read none for long: the connection
 * counts as failed.
 */
void fcgi_conn_respond(struct fcgi_exchange *exchange,
                       const struct response *response);

/*
 * The same with a text as response_format makes it, of len bytes. A text of
 * more than 65,535 bytes cannot be sent: the connection counts as failed.
 */
void fcgi_conn_respond_text(struct fcgi_exchange *exchange, const char *text,
                            size_t len);

/*
 * True between two requests. A body that is still to come counts as such, but
 * not half a record.
 */
bool fcgi_conn_is_idle(const struct fcgi_conn *conn);

/* True if the web server wants to use the connection again, and can. */
bool fcgi_conn_is_kept(const struct fcgi_conn *conn);

#endif
