/*
 * metrics_server: libmicrohttpd without threads. It has an epoll fd of its own,
 * which the loop watches; MHD_run does what there is to do and never waits.
 *
 * Its time limit for a connection begins anew with each byte, so that a client
 * could hold its place for ever. So the connections are noted here, and shut
 * down when their time is over.
 */
#include "metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "listen_socket.h"

/* Of a request: a line and some headers. Its answer is beside it. */
enum { CLIENT_MEMORY = 8192, WHY_SIZE = 256 };

struct client {
    struct MHD_Connection *connection; /* NULL: this place is free */
    int64_t due_ms;                    /* monotonic: the end of its time */
};

struct metrics_server {
    struct event_loop *loop;
    struct metrics *metrics;
    const char *listen; /* metrics.listen */
    struct listen_socket socket;
    struct MHD_Daemon *daemon;         /* NULL: the address is busy */
    struct event_loop_timer look;      /* whether it can be reached */
    struct event_loop_timer run;       /* when libmicrohttpd asks for it */
    struct event_loop_timer time_over; /* of the first client */
    struct log_throttle trouble;
    bool has_ended; /* a connection, in this run */
    struct client clients[METRICS_SERVER_CLIENTS];
};

bool
metrics_server_wanted(const struct options *options)
{
    struct listen_address address;

    return listen_address_parse(options->metrics.listen, &address) == NULL &&
           address.len > 0;
}

/*
 * Has libmicrohttpd do what there is to do. If all places were taken, it
 * listens again only at the beginning of the run after that in which one got
 * free.
 */
static void
run(struct metrics_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;

    server->has_ended = false;
    MHD_run(server->daemon);
    if (server->has_ended ||
        MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES) {
        event_loop_arm(server->loop, &server->run, (int64_t)wait_ms);
    }
}

static void
on_run_due(void *context)
{
    run(context);
}

static void
on_events(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    run(context);
}

/* Plans the end of the client whose time is over first. */
static void
arm_time_over(struct metrics_server *server)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < METRICS_SERVER_CLIENTS; i++) {
        const struct client *client = &server->clients[i];

        if (client->connection != NULL && client->due_ms < first_ms) {
            first_ms = client->due_ms;
        }
    }
    if (first_ms == INT64_MAX) {
        event_loop_disarm(server->loop, &server->time_over);
    } else {
        event_loop_arm(server->loop, &server->time_over,
                       first_ms - clock_mono_ms());
    }
}

/* libmicrohttpd has no function that ends a connection; it notices that the
   socket is shut down. */
static void
shut_down(struct client *client)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info != NULL) {
        shutdown(info->connect_fd, SHUT_RDWR);
    }
    client->due_ms = INT64_MAX;
}

static void
on_time_over(void *context)
{
    struct metrics_server *server = context;
    int64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < METRICS_SERVER_CLIENTS; i++) {
        struct client *client = &server->clients[i];

        if (client->connection != NULL && client->due_ms <= now_ms) {
            shut_down(client);
        }
    }
    arm_time_over(server);
    run(server);
}

/* Finds the place of a connection; NULL: a free one. */
static struct client *
find(struct metrics_server *server, const struct MHD_Connection *connection)
{
    for (size_t i = 0; i < METRICS_SERVER_CLIENTS; i++) {
        if (server->clients[i].connection == connection) {
            return &server->clients[i];
        }
    }
    return NULL;
}

/* A connection has begun or ended. An MHD_NotifyConnectionCallback. */
static void
on_connection(void *context, struct MHD_Connection *connection,
              void **socket_context, enum MHD_ConnectionNotificationCode what)
{
    struct metrics_server *server = context;
    struct client *client =
        find(server, what == MHD_CONNECTION_NOTIFY_CLOSED ? connection : NULL);

    (void)socket_context;
    if (client == NULL) { /* never: there are as many places as connections */
        return;
    }
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        client->connection = NULL;
        server->has_ended = true;
    } else {
        client->connection = connection;
        client->due_ms = clock_mono_ms() + METRICS_SERVER_CLIENT_MS;
    }
    arm_time_over(server);
}

/* The metrics, malloc'd; NULL: no memory. */
static char *
write_text(struct metrics_server *server, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (out == NULL) {
        return NULL;
    }
    metrics_write(server->metrics, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Answers, and closes the connection. Takes text over, which is malloc'd. */
static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned status, char *text,
        size_t len, const char *type)
{
    enum MHD_Result result = MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(len, text, free);

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) ==
            MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-store") == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
                                "close") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                 "GET, HEAD") == MHD_YES)) {
        result = MHD_queue_response(connection, status, response);
    }
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status)
{
    char *text = strdup("failed");

    return text == NULL
               ? MHD_NO
               : respond(connection, status, text, strlen(text), "text/plain");
}

/* The head of a request has come. A body is not read. An
   MHD_AccessHandlerCallback. */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *path,
           const char *method, const char *version, const char *body,
           size_t *body_len, void **state)
{
    char *text;
    size_t len;

    (void)version;
    (void)body;
    (void)body_len;
    (void)state;
    if (strcmp(path, "/metrics") != 0) {
        return refuse(connection, MHD_HTTP_NOT_FOUND);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
    }
    text = write_text(context, &len);
    return text == NULL ? MHD_NO
                        : respond(connection, MHD_HTTP_OK, text, len,
                                  "text/plain; version=0.0.4; charset=utf-8");
}

/*
 * Starts libmicrohttpd on a listening socket, which is closed with it. If there
 * is no descriptor for its epoll, libmicrohttpd leaves the socket open, and the
 * address would stay busy. NULL (errno): the socket is closed.
 */
static struct MHD_Daemon *
start_daemon(struct metrics_server *server, int fd)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)METRICS_SERVER_CLIENTS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CLIENT_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        daemon == NULL ? NULL
                       : MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);

    if (info != NULL && event_loop_watch(server->loop, info->epoll_fd, EPOLLIN,
                                         on_events, server) == 0) {
        return daemon;
    }
    if (daemon != NULL) {
        MHD_stop_daemon(daemon);
    } else {
        close(fd);
    }
    errno = ENOMEM;
    return NULL;
}

/* Listens, or logs why that is not possible. */
static void
start(struct metrics_server *server)
{
    int fd = listen_socket_open(&server->socket);
    char why[WHY_SIZE];

    if (fd >= 0) {
        server->daemon = start_daemon(server, fd);
    }
    if (server->daemon != NULL) {
        log_throttle_over(&server->trouble, "metrics.listen");
        log_info("metrics.listen: serves %s", server->listen);
        run(server);
        return;
    }
    snprintf(why, sizeof(why), "%.128s: %s", server->listen, strerror(errno));
    log_throttle_note(&server->trouble, "metrics.listen", why);
}

static void
stop(struct metrics_server *server)
{
    const union MHD_DaemonInfo *info;

    if (server->daemon != NULL) {
        info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        event_loop_forget(server->loop, info->epoll_fd);
        event_loop_disarm(server->loop, &server->run);
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        listen_socket_remove(&server->socket);
    }
}

/* Starts if it does not serve yet, or if nobody can reach it any more. */
static void
on_look(void *context)
{
    struct metrics_server *server = context;

    if (server->daemon != NULL &&
        !listen_socket_is_reachable(&server->socket)) {
        log_warn("metrics.listen: %s was removed", server->listen);
        stop(server);
    }
    if (server->daemon == NULL) {
        start(server);
    }
    event_loop_arm(server->loop, &server->look, METRICS_SERVER_LOOK_MS);
}

struct metrics_server *
metrics_server_open(const struct options *options, struct event_loop *loop,
                    struct metrics *metrics)
{
    struct metrics_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->loop = loop;
    server->metrics = metrics;
    server->listen = options->metrics.listen;
    server->look.handler = on_look;
    server->look.context = server;
    server->run.handler = on_run_due;
    server->run.context = server;
    server->time_over.handler = on_time_over;
    server->time_over.context = server;
    (void)listen_address_parse(server->listen, &server->socket.address);
    on_look(server);
    return server;
}

void
metrics_server_close(struct metrics_server *server)
{
    if (server != NULL) {
        stop(server);
        event_loop_disarm(server->loop, &server->look);
        event_loop_disarm(server->loop, &server->time_over);
        free(server);
    }
}
