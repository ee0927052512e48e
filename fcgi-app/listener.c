/*
 * listener: two lists of connections, each with one time limit, so that the
 * connection at the head is the first to reach it:
 *
 *   waiting  half a request is there, or nothing yet of a new connection
 *   idle     kept, between two requests
 *
 * A connection whose request was handed out is in neither. A third list, ready,
 * has those that may have bytes to read, as epoll says.
 *
 * A connection that the web server makes for a single request is read as soon
 * as it is accepted, and never gets into the epoll set. A kept connection stays
 * there until it is closed.
 */
#define _GNU_SOURCE /* accept4 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

enum {
    SHORTAGE_PAUSE_MS = 20,
    /* accept4 that took so long has blocked: see make_nonblocking. */
    BLOCKED_MS = 2,
    /* Kept connections are taken one at a time: see take_new. */
    ACCEPT_KEPT = 1,
};

TAILQ_HEAD(conn_list, fcgi_conn);

struct listener {
    struct listener_options options;
    int watched_fd; /* the listening socket, as it is in the epoll set */
    int spare_fd;   /* the same under another number: see queue_anew */
    struct fcgi_conn_buffers *buffers;
    struct conn_list waiting;
    struct conn_list idle;
    struct conn_list ready; /* by ready_link */
    bool acceptable;        /* accept4 may find another connection */
    bool keeps;             /* the web server keeps its connections */
    bool new_first;         /* whose turn it is to fill a batch */
    bool draining;
};

/*
 * Another process that shares the listener can take its O_NONBLOCK off (systemd
 * 252 does at each start of a service with StandardInput=socket). SO_RCVTIMEO
 * can't be taken off by fcntl: a blocking accept4 returns EAGAIN after it, for
 * a unix socket after about 5 ms.
 */
static int
make_nonblocking(int fd)
{
    struct timeval limit = {.tv_usec = 1};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return -1;
    }
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static int
watch_listener(const struct listener *listener, int operation, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};

    return epoll_ctl(listener->options.epoll_fd, operation, fd, &event);
}

struct listener *
listener_open(const struct listener_options *options)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL) {
        return NULL;
    }
    listener->options = *options;
    listener->watched_fd = fcntl(options->listen_fd, F_DUPFD_CLOEXEC, 0);
    listener->spare_fd = fcntl(options->listen_fd, F_DUPFD_CLOEXEC, 0);
    listener->keeps = true; /* until the first request tells */
    TAILQ_INIT(&listener->waiting);
    TAILQ_INIT(&listener->idle);
    TAILQ_INIT(&listener->ready);
    listener->buffers = fcgi_conn_buffers_open();
    if (listener->watched_fd < 0 || listener->spare_fd < 0 ||
        listener->buffers == NULL ||
        make_nonblocking(options->listen_fd) != 0 ||
        watch_listener(listener, EPOLL_CTL_ADD, listener->watched_fd) != 0) {
        listener_close(listener);
        return NULL;
    }
    return listener;
}

static struct conn_list *
list_of(struct listener *listener, enum fcgi_conn_state state)
{
    switch (state) {
    case FCGI_CONN_WAITING:
        return &listener->waiting;
    case FCGI_CONN_IDLE:
        return &listener->idle;
    case FCGI_CONN_NEW:
    case FCGI_CONN_SERVED:
        break;
    }
    return NULL;
}

/* Moves a connection to the end of the list of its new state. */
static void
set_state(struct listener *listener, struct fcgi_conn *conn,
          enum fcgi_conn_state state, int64_t limit_ms)
{
    struct conn_list *from = list_of(listener, conn->state);
    struct conn_list *to = list_of(listener, state);

    if (from != NULL) {
        TAILQ_REMOVE(from, conn, link);
    }
    if (to != NULL) {
        TAILQ_INSERT_TAIL(to, conn, link);
        conn->until_ms = clock_mono_ms() + limit_ms;
    }
    conn->state = state;
}

static void
set_ready(struct listener *listener, struct fcgi_conn *conn, bool ready)
{
    if (ready && !conn->ready) {
        TAILQ_INSERT_TAIL(&listener->ready, conn, ready_link);
    } else if (!ready && conn->ready) {
        TAILQ_REMOVE(&listener->ready, conn, ready_link);
    }
    conn->ready = ready;
}

static void
close_conn(struct listener *listener, struct fcgi_conn *conn)
{
    set_ready(listener, conn, false);
    set_state(listener, conn, FCGI_CONN_NEW, 0);
    fcgi_conn_close(conn, listener->buffers);
}

static void
close_all(struct listener *listener, struct conn_list *list)
{
    while (!TAILQ_EMPTY(list)) {
        close_conn(listener, TAILQ_FIRST(list));
    }
}

void
listener_close(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    close_all(listener, &listener->waiting);
    close_all(listener, &listener->idle);
    fcgi_conn_buffers_close(listener->buffers);
    if (listener->watched_fd >= 0) {
        close(listener->watched_fd);
    }
    if (listener->spare_fd >= 0) {
        close(listener->spare_fd);
    }
    free(listener);
}

void
listener_note(struct listener *listener, void *ptr)
{
    if (ptr == NULL) {
        listener->acceptable = true;
    } else {
        set_ready(listener, ptr, true);
    }
}

/* When the first connection of a list reaches its limit; INT64_MAX: never. */
static int64_t
first_until_ms(const struct conn_list *list)
{
    const struct fcgi_conn *conn = TAILQ_FIRST(list);

    return conn != NULL ? conn->until_ms : INT64_MAX;
}

int
listener_wait_ms(const struct listener *listener)
{
    int64_t until_ms = int64_min(first_until_ms(&listener->waiting),
                                 first_until_ms(&listener->idle));
    int64_t left_ms;

    if (listener->acceptable || !TAILQ_EMPTY(&listener->ready)) {
        return 0;
    }
    if (until_ms == INT64_MAX) {
        return -1;
    }
    left_ms = until_ms - clock_mono_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

bool
listener_is_empty(const struct listener *listener)
{
    return !listener->acceptable && TAILQ_EMPTY(&listener->waiting) &&
           TAILQ_EMPTY(&listener->idle);
}

/*
 * Has the connection wait for what its peer sends. Idle it may be for long, but
 * the rest of a request, or the first one, has to come soon. False: it was
 * closed.
 */
static bool
wait_for_peer(struct listener *listener, struct fcgi_conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.ptr = conn};
    bool idle = fcgi_conn_is_idle(conn);
    enum fcgi_conn_state state = idle ? FCGI_CONN_IDLE : FCGI_CONN_WAITING;

    if (!conn->watched && epoll_ctl(listener->options.epoll_fd, EPOLL_CTL_ADD,
                                    conn->fd, &event) != 0) {
        close_conn(listener, conn);
        return false;
    }
    conn->watched = true;
    if (conn->state != state) {
        set_state(listener, conn, state,
                  idle ? listener->options.keep_idle_ms : LISTENER_PATIENCE_MS);
    }
    return true;
}

/* Reads a connection. True if *exchange has its request. */
static bool
read_conn(struct listener *listener, struct fcgi_conn *conn,
          struct fcgi_exchange *exchange)
{
    set_ready(listener, conn, false);
    switch (fcgi_conn_read(conn, listener->buffers, exchange)) {
    case FCGI_CONN_REQUEST:
        set_state(listener, conn, FCGI_CONN_SERVED, 0);
        return true;
    case FCGI_CONN_MORE:
        if (listener->draining && fcgi_conn_is_idle(conn)) {
            close_conn(listener, conn);
        } else {
            wait_for_peer(listener, conn);
        }
        return false;
    case FCGI_CONN_OVER:
        close_conn(listener, conn);
        return false;
    }
    return false;
}

/* The same with an exchange of spare, which goes to gathered then. */
static bool
gather_one(struct listener *listener, struct fcgi_conn *conn,
           struct fcgi_exchange_list *spare,
           struct fcgi_exchange_list *gathered)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(spare);

    if (!read_conn(listener, conn, exchange)) {
        return false;
    }
    STAILQ_REMOVE_HEAD(spare, link);
    STAILQ_INSERT_TAIL(gathered, exchange, link);
    return true;
}

static size_t
gather_ready(struct listener *listener, struct fcgi_exchange_list *spare,
             struct fcgi_exchange_list *gathered, size_t most)
{
    struct fcgi_conn *conn;
    size_t count = 0;

    while (count < most && (conn = TAILQ_FIRST(&listener->ready)) != NULL) {
        count += gather_one(listener, conn, spare, gathered);
    }
    return count;
}

/* True if no byte waits to be read, whether epoll has told of it or not. */
static bool
is_silent(const struct fcgi_conn *conn)
{
    int bytes = 0;

    return !conn->ready &&
           (ioctl(conn->fd, FIONREAD, &bytes) != 0 || bytes == 0);
}

/*
 * The first silent connection of a list among those that reach their limit by
 * now_ms; NULL if there is none.
 */
static struct fcgi_conn *
first_silent(const struct conn_list *list, int64_t now_ms)
{
    for (struct fcgi_conn *conn = TAILQ_FIRST(list); conn != NULL;
         conn = TAILQ_NEXT(conn, link)) {
        if (conn->until_ms > now_ms) {
            return NULL;
        }
        if (is_silent(conn)) {
            return conn;
        }
    }
    return NULL;
}

/*
 * After accept4 failed with error: may there be another connection to take? If
 * descriptors or memory are short, the connection that has been idle for
 * longest makes room. If there is none, epoll would report the listener again
 * and again, so this waits a little.
 */
static bool
is_worth_another(struct listener *listener, int error)
{
    struct fcgi_conn *idle;

    if (error == ECONNABORTED || error == EINTR) {
        return true;
    }
    if (error == EAGAIN) {
        return false;
    }
    idle = first_silent(&listener->idle, INT64_MAX);
    if (idle != NULL) {
        close_conn(listener, idle);
        return true;
    }
    if (TAILQ_EMPTY(&listener->ready)) {
        poll(NULL, 0, SHORTAGE_PAUSE_MS);
    }
    return false;
}

/* A new connection; NULL if there is none now. */
static struct fcgi_conn *
accept_conn(struct listener *listener)
{
    int fd = -1;

    while (fd < 0 && listener->acceptable) {
        int64_t started_ms = clock_mono_ms();

        fd = accept4(listener->options.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            int error = errno;

            if (error == EAGAIN && clock_mono_ms() - started_ms >= BLOCKED_MS) {
                make_nonblocking(listener->options.listen_fd);
            }
            listener->acceptable = is_worth_another(listener, error);
        }
    }
    return fd >= 0 ? fcgi_conn_open(fd, listener->buffers) : NULL;
}

/*
 * The kernel wakes the process that has waited on the listener for longest.
 * After a new kept connection this one goes to the end of the queue. Else the
 * first responder of a pool would get nearly all of them. If the system refuses
 * (ENOMEM, ENOSPC), it keeps its place.
 */
static void
queue_anew(struct listener *listener)
{
    int fd = listener->spare_fd;

    listener->acceptable = false;
    if (watch_listener(listener, EPOLL_CTL_ADD, fd) == 0) {
        listener->spare_fd = listener->watched_fd;
        listener->watched_fd = fd;
        watch_listener(listener, EPOLL_CTL_DEL, listener->spare_fd);
    }
}

/*
 * Takes new connections: all that are there, as each carries one request; but
 * kept connections one at a time, as each will carry thousands, and the other
 * responders of the pool are to have their share.
 */
static size_t
gather_new(struct listener *listener, struct fcgi_exchange_list *spare,
           struct fcgi_exchange_list *gathered, size_t most)
{
    size_t count = 0;

    while (count < most && listener->acceptable) {
        struct fcgi_conn *conn = accept_conn(listener);

        if (conn != NULL && gather_one(listener, conn, spare, gathered)) {
            listener->keeps = conn->parser.keep && !listener->draining;
            count++;
        }
        if (conn != NULL && listener->keeps) {
            queue_anew(listener);
        }
    }
    return count;
}

/* Closes the connections of a list that have been silent to their limit. */
static void
expire(struct listener *listener, struct conn_list *list)
{
    struct fcgi_conn *conn;

    while ((conn = first_silent(list, clock_mono_ms())) != NULL) {
        close_conn(listener, conn);
    }
}

size_t
listener_gather(struct listener *listener, struct fcgi_exchange_list *spare,
                struct fcgi_exchange_list *gathered, size_t most)
{
    size_t count = 0;

    listener->new_first = !listener->new_first;
    if (listener->new_first) {
        count = gather_new(listener, spare, gathered, most);
    }
    count += gather_ready(listener, spare, gathered, most - count);
    count += gather_new(listener, spare, gathered, most - count);
    expire(listener, &listener->waiting);
    expire(listener, &listener->idle);
    return count;
}

void
listener_release(struct listener *listener,
                 const struct fcgi_exchange *exchange)
{
    struct fcgi_conn *conn = exchange->conn;

    if (!fcgi_conn_is_kept(conn)) {
        close_conn(listener, conn);
    } else if (wait_for_peer(listener, conn) &&
               (conn->ahead != NULL || listener->draining)) {
        set_ready(listener, conn, true);
    }
}

void
listener_drain(struct listener *listener)
{
    listener->draining = true;
    listener->keeps = false;
    listener->acceptable = true; /* one more look, whatever epoll says */
    for (struct fcgi_conn *conn = TAILQ_FIRST(&listener->idle); conn != NULL;
         conn = TAILQ_NEXT(conn, link)) {
        set_ready(listener, conn, true);
    }
}
