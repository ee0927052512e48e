/*
 * fcgi_conn: one recv(2) and one send(2) a request. The parameters' memory is
 * borrowed for as long as a request is read, so that an idle connection has
 * none.
 */
#include "fcgi_conn.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 64 * 1024,
    /* Parameters' memory that is kept for the next requests. */
    SPARE_MAX = 16,
    /* Structs that are kept for the next connections. */
    CONNS_MAX = 128,
};

struct spare {
    char *params;
    size_t size;
};

struct fcgi_conn_buffers {
    struct fcgi_record_environment environment;
    struct spare spares[SPARE_MAX];
    size_t spare_count;
    struct fcgi_conn *conns[CONNS_MAX];
    size_t conn_count;
    uint8_t received[RECEIVE_BYTES];
};

struct fcgi_conn_buffers *
fcgi_conn_buffers_open(void)
{
    return calloc(1, sizeof(struct fcgi_conn_buffers));
}

void
fcgi_conn_buffers_close(struct fcgi_conn_buffers *buffers)
{
    if (buffers == NULL) {
        return;
    }
    fcgi_record_environment_fini(&buffers->environment);
    for (size_t i = 0; i < buffers->spare_count; i++) {
        free(buffers->spares[i].params);
    }
    for (size_t i = 0; i < buffers->conn_count; i++) {
        free(buffers->conns[i]);
    }
    free(buffers);
}

struct fcgi_conn *
fcgi_conn_open(int fd, struct fcgi_conn_buffers *buffers)
{
    struct fcgi_conn *conn = buffers->conn_count > 0
                                 ? buffers->conns[--buffers->conn_count]
                                 : malloc(sizeof(*conn));

    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    *conn = (struct fcgi_conn){.fd = fd};
    return conn;
}

void
fcgi_conn_close(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers)
{
    close(conn->fd);
    free(conn->parser.params);
    free(conn->ahead);
    if (buffers->conn_count < CONNS_MAX) {
        buffers->conns[buffers->conn_count++] = conn;
    } else {
        free(conn);
    }
}

/* Lends the parser memory for parameters, if it has none and some is there. */
static void
lend_params(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers)
{
    if (conn->parser.params == NULL && buffers->spare_count > 0) {
        struct spare *spare = &buffers->spares[--buffers->spare_count];

        conn->parser.params = spare->params;
        conn->parser.params_size = spare->size;
    }
}

/* Takes that memory back, if no request is being read. */
static void
return_params(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers)
{
    struct fcgi_record_parser *parser = &conn->parser;

    if (parser->params == NULL || parser->phase == FCGI_RECORD_PARAMS) {
        return;
    }
    if (buffers->spare_count < SPARE_MAX) {
        buffers->spares[buffers->spare_count++] =
            (struct spare){parser->params, parser->params_size};
    } else {
        free(parser->params);
    }
    parser->params = NULL;
    parser->params_size = 0;
    parser->params_len = 0;
}

/* Parses the request; its parameters are those of RFC 3875, 4.1. */
static bool
read_request(const struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers,
             struct fcgi_exchange *exchange)
{
    const char *method, *target;
    char **strings;

    if (fcgi_record_read_params(&conn->parser, &buffers->environment) != 0) {
        return false;
    }
    strings = buffers->environment.strings;
    method = FCGX_GetParam("REQUEST_METHOD", strings);
    target = FCGX_GetParam("REQUEST_URI", strings);
    request_parse(&exchange->request, method != NULL ? method : "",
                  target != NULL ? target : "");
    if (FCGX_GetParam("HTTP_VERVE_CALLBACK", strings) != NULL) {
        exchange->request.endpoint = NULL; /* a callback of ours: no loop */
    }
    if (exchange->request.endpoint != NULL) {
        trace_context_read(&exchange->request.trace,
                           FCGX_GetParam("HTTP_TRACEPARENT", strings),
                           FCGX_GetParam("HTTP_TRACESTATE", strings),
                           FCGX_GetParam("HTTP_X_REQUEST_ID", strings));
    }
    if (exchange->request.kind != REQUEST_ACCEPT &&
        exchange->request.kind != REQUEST_HEALTHZ &&
        exchange->request.kind != REQUEST_UNKNOWN) {
        request_set_accept(&exchange->request,
                           FCGX_GetParam("HTTP_ACCEPT", strings));
        request_set_client(
            &exchange->request, FCGX_GetParam("REMOTE_ADDR", strings),
            FCGX_GetParam("HTTP_X_FORWARDED_FOR", strings) != NULL ||
                FCGX_GetParam("HTTP_FORWARDED", strings) != NULL);
    }
    return true;
}

/* Keeps bytes that are for later. False: no memory. */
static bool
keep_ahead(struct fcgi_conn *conn, const uint8_t *bytes, size_t len)
{
    if (len > 0) {
        conn->ahead = malloc(len);
        if (conn->ahead == NULL) {
            return false;
        }
        memcpy(conn->ahead, bytes, len);
        conn->ahead_len = len;
    }
    return true;
}

/* Feeds the parser. More than one request in the bytes waits for its turn. */
static enum fcgi_conn_result
feed(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers,
     struct fcgi_exchange *exchange, const uint8_t *bytes, size_t len)
{
    enum fcgi_conn_result result = FCGI_CONN_MORE;
    size_t at = 0, used;

    do {
        switch (fcgi_record_feed(&conn->parser, bytes + at, len - at, &used)) {
        case FCGI_RECORD_MORE:
            return result;
        case FCGI_RECORD_REQUEST:
            if (!read_request(conn, buffers, exchange)) {
                return FCGI_CONN_OVER;
            }
            exchange->conn = conn;
            result = FCGI_CONN_REQUEST;
            break;
        case FCGI_RECORD_NEXT:
            return keep_ahead(conn, bytes + at + used, len - at - used)
                       ? result
                       : FCGI_CONN_OVER;
        case FCGI_RECORD_BROKEN:
            return FCGI_CONN_OVER;
        }
        at += used;
    } while (at < len);
    return result;
}

/* Feeds what came early, behind the request before. */
static enum fcgi_conn_result
feed_ahead(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers,
           struct fcgi_exchange *exchange)
{
    uint8_t *bytes = conn->ahead;
    enum fcgi_conn_result result;

    conn->ahead = NULL;
    result = feed(conn, buffers, exchange, bytes, conn->ahead_len);
    free(bytes);
    return result;
}

static enum fcgi_conn_result
receive(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers,
        struct fcgi_exchange *exchange)
{
    ssize_t n = recv(conn->fd, buffers->received, sizeof(buffers->received),
                     MSG_DONTWAIT);

    if (n > 0) {
        return feed(conn, buffers, exchange, buffers->received, (size_t)n);
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? FCGI_CONN_MORE
                                                        : FCGI_CONN_OVER;
}

enum fcgi_conn_result
fcgi_conn_read(struct fcgi_conn *conn, struct fcgi_conn_buffers *buffers,
               struct fcgi_exchange *exchange)
{
    enum fcgi_conn_result result = FCGI_CONN_MORE;

    lend_params(conn, buffers);
    if (conn->ahead != NULL) {
        result = feed_ahead(conn, buffers, exchange);
    }
    if (result == FCGI_CONN_MORE) {
        result = receive(conn, buffers, exchange);
    }
    return_params(conn, buffers);
    return result;
}

/* Sends the text, as fcgi_record_frame wants it. */
static void
send_text(struct fcgi_conn *conn, uint8_t *records, size_t text_len)
{
    size_t len = fcgi_record_frame(&conn->parser, records, text_len);

    if (send(conn->fd, records, len, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        (ssize_t)len) {
        conn->failed = true;
    }
}

void
fcgi_conn_respond(struct fcgi_exchange *exchange,
                  const struct response *response)
{
    uint8_t records[RESPONSE_MAX_BYTES + FCGI_RECORD_FRAME_BYTES];

    send_text(
        exchange->conn, records,
        response_format(response, (char *)records + FCGI_RECORD_HEADER_BYTES));
    fcgi_record_answered(&exchange->conn->parser);
}

void
fcgi_conn_respond_text(struct fcgi_exchange *exchange, const char *text,
                       size_t len)
{
    uint8_t *records =
        len <= UINT16_MAX ? malloc(len + FCGI_RECORD_FRAME_BYTES) : NULL;

    if (records == NULL) {
        exchange->conn->failed = true;
    } else {
        memcpy(records + FCGI_RECORD_HEADER_BYTES, text, len);
        send_text(exchange->conn, records, len);
        free(records);
    }
    fcgi_record_answered(&exchange->conn->parser);
}

bool
fcgi_conn_is_idle(const struct fcgi_conn *conn)
{
    return conn->parser.id != 0 && conn->ahead == NULL &&
           !fcgi_record_is_partial(&conn->parser);
}

bool
fcgi_conn_is_kept(const struct fcgi_conn *conn)
{
    return conn->parser.keep && !conn->failed;
}
