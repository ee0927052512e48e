/*
 * redis_link: one connection through its life. It is in one of four phases:
 *
 *   RESTING   until the next attempt is due
 *   LOOKING   the name is being resolved
 *   GREETING  a socket is connecting, the greeting's commands are under way
 *   READY     scripts can be run
 *
 * The first three advance in connection_step, without blocking. An epoll
 * instance of its own holds the socket and a timer, so that the user has one
 * fd for the whole life.
 */
#include "connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "dial.h"
#include "handshake.h"
#include "redis_url.h"
#include "resolver.h"

enum phase { RESTING, LOOKING, GREETING, READY };

/*
 * Pauses between attempts: short enough to be back within a second of Redis,
 * different for each process so that a pool does not come all at once.
 */
enum { PAUSE_MIN_MS = 100, PAUSE_SPREAD_MS = 400, RESOLVER_POLL_MS = 10 };

struct connection {
    struct redis_options options;
    struct redis_url url;
    char *client_name;
    int epoll_fd;
    int timer_fd;
    enum phase phase;
    enum redis_state state;
    int64_t due_ms; /* monotonic: the phase's time limit, or next attempt */
    struct resolver *resolver;   /* NULL for a unix socket */
    const struct addrinfo *next; /* addresses not yet tried in this attempt */
    redisContext *context;       /* NULL where there is no socket */
    uint64_t connections;        /* that were READY so far */
    struct handshake handshake;
    char error[768];
};

static void connect_next(struct connection *connection);

/* Makes the epoll instance readable delay_ms from now; 0: never. */
static void
set_timer(struct connection *connection, int64_t delay_ms)
{
    struct itimerspec spec = {0};

    spec.it_value.tv_sec = delay_ms / 1000;
    spec.it_value.tv_nsec = delay_ms % 1000 * 1000000;
    timerfd_settime(connection->timer_fd, 0, &spec, NULL);
}

static void
set_due(struct connection *connection, int64_t delay_ms)
{
    connection->due_ms = clock_mono_ms() + delay_ms;
    set_timer(connection, delay_ms);
}

static void
watch(struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};

    epoll_ctl(connection->epoll_fd, operation, connection->context->fd, &event);
}

static void
hang_up(struct connection *connection)
{
    if (connection->context != NULL) {
        redisFree(connection->context);
        connection->context = NULL;
    }
}

static int64_t
random_pause_ms(void)
{
    uint32_t word = 0;

    if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != sizeof(word)) {
        word = (uint32_t)(clock_mono_ms() * getpid());
    }
    return PAUSE_MIN_MS + word % PAUSE_SPREAD_MS;
}

static void
become(struct connection *connection, enum redis_state state)
{
    struct redis_news news = {.state = state, .reason = connection->error};

    connection->state = state;
    if (state == REDIS_STATE_UP) {
        news.doubt = handshake_doubt(&connection->handshake);
    }
    if (connection->options.on_news != NULL) {
        connection->options.on_news(connection->options.on_news_context, &news);
    }
}

/* Gives this attempt, or this connection, up; the reason is in error. */
static void
rest(struct connection *connection, enum redis_state state)
{
    hang_up(connection);
    connection->phase = RESTING;
    set_due(connection, random_pause_ms());
    become(connection, state);
}

void
connection_note(struct connection *connection, const char *what,
                const char *why)
{
    if (connection->url.path != NULL) {
        snprintf(connection->error, sizeof(connection->error), "%s (%s): %s",
                 what, connection->url.path, why);
    } else {
        snprintf(connection->error, sizeof(connection->error), "%s (%s:%s): %s",
                 what, connection->url.host, connection->url.port, why);
    }
}

/* This address does not work: tries the next, or rests. */
static void
fail_address(struct connection *connection, const char *why)
{
    connection_note(connection, "cannot connect", why);
    hang_up(connection);
    if (connection->next != NULL) {
        connect_next(connection);
    } else {
        rest(connection, REDIS_STATE_DOWN);
    }
}

/* Says the greeting on fd, which is connecting; -1: it failed (errno). */
static void
greet(struct connection *connection, int fd)
{
    int64_t left_ms = connection->due_ms - clock_mono_ms();

    if (fd < 0) {
        fail_address(connection, strerror(errno));
        return;
    }
    connection->context = redisConnectFd(fd);
    if (connection->context == NULL) {
        close(fd);
        fail_address(connection, "no memory");
        return;
    }
    connection->context->flags &= ~REDIS_BLOCK;
    if (connection->url.path == NULL) {
        redisEnableKeepAlive(connection->context);
    }
    connection->phase = GREETING;
    set_timer(connection, left_ms > 0 ? left_ms : 1);
    handshake_send(&connection->handshake, connection->context);
    watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void
connect_next(struct connection *connection)
{
    const struct addrinfo *address = connection->next;

    connection->next = address->ai_next;
    greet(connection, dial_address(address->ai_addr, address->ai_addrlen));
}

static void
step_looking(struct connection *connection)
{
    switch (resolver_result(connection->resolver, &connection->next)) {
    case RESOLVER_PENDING:
        break;
    case RESOLVER_DONE:
        connect_next(connection);
        break;
    case RESOLVER_FAILED:
        connection_note(connection, "cannot find its address",
                        resolver_error(connection->resolver));
        rest(connection, REDIS_STATE_DOWN);
        break;
    }
}

/* Starts an attempt to connect, with one time limit up to its first address. */
static void
attempt(struct connection *connection)
{
    connection->next = NULL;
    set_due(connection, connection->options.timeout_ms);
    if (connection->resolver == NULL) {
        greet(connection, dial_path(connection->url.path));
        return;
    }
    connection->phase = LOOKING;
    resolver_start(connection->resolver);
    set_timer(connection, RESOLVER_POLL_MS);
}

static void
finish_greeting(struct connection *connection)
{
    connection->phase = READY;
    connection->connections++;
    set_timer(connection, 0);
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    connection_note(connection, "connected", "ready");
    become(connection, REDIS_STATE_UP);
}

/* Takes the replies that are there; ends in READY, or at rest. */
static void
hear_greeting(struct connection *connection)
{
    switch (handshake_receive(&connection->handshake, connection->context)) {
    case HANDSHAKE_WAITS:
        break;
    case HANDSHAKE_DONE:
        finish_greeting(connection);
        break;
    case HANDSHAKE_BROKEN:
        fail_address(connection, connection->handshake.why);
        break;
    case HANDSHAKE_LATER:
        connection_note(connection, "cannot be used yet",
                        connection->handshake.why);
        rest(connection, REDIS_STATE_DOWN);
        break;
    case HANDSHAKE_UNUSABLE:
        connection_note(connection, "cannot be used",
                        connection->handshake.why);
        rest(connection, REDIS_STATE_UNUSABLE);
        break;
    }
}

static void
step_greeting(struct connection *connection)
{
    int written = 0;

    if (redisBufferWrite(connection->context, &written) != REDIS_OK) {
        fail_address(connection, connection->context->errstr);
        return;
    }
    if (!written) {
        return;
    }
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    if (redisBufferRead(connection->context) != REDIS_OK) {
        fail_address(connection, connection->context->errstr);
        return;
    }
    hear_greeting(connection);
}

void
connection_lose(struct connection *connection, const char *why)
{
    connection_note(connection, "connection lost", why);
    hang_up(connection);
    become(connection, REDIS_STATE_CONNECTING);
    attempt(connection);
}

void
connection_give_up(struct connection *connection, const char *why)
{
    connection_note(connection, "connection given up", why);
    rest(connection, REDIS_STATE_DOWN);
}

/* Nothing is expected outside a run: what can be read is the end of it. */
static void
step_ready(struct connection *connection)
{
    char byte;
    ssize_t n =
        recv(connection->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    connection_lose(connection, n == 0  ? "closed by Redis"
                                : n > 0 ? "an unexpected reply"
                                        : strerror(errno));
}

/* No answer in time: the next address has a time limit of its own. */
static void
time_out(struct connection *connection)
{
    connection_note(connection, "cannot connect", "no answer in time");
    if (connection->next == NULL) {
        rest(connection, REDIS_STATE_DOWN);
        return;
    }
    hang_up(connection);
    become(connection, REDIS_STATE_DOWN);
    set_due(connection, connection->options.timeout_ms);
    connect_next(connection);
}

uint64_t
connection_check(struct connection *connection)
{
    if (connection->phase == READY) {
        step_ready(connection);
    }
    return connection->phase == READY ? connection->connections : 0;
}

void
connection_step(struct connection *connection)
{
    uint64_t expirations;
    bool due =
        connection->phase != READY && clock_mono_ms() >= connection->due_ms;

    /* Empties the timer; that it had not fired is fine. */
    (void)!read(connection->timer_fd, &expirations, sizeof(expirations));
    if (connection->phase == RESTING) {
        if (due) {
            attempt(connection);
        }
    } else if (due) {
        time_out(connection);
    } else if (connection->phase == LOOKING) {
        step_looking(connection);
    } else if (connection->phase == GREETING) {
        step_greeting(connection);
    } else {
        step_ready(connection);
    }
    if (connection->phase == LOOKING) {
        set_timer(connection, RESOLVER_POLL_MS); /* it has no fd to wait for */
    }
}

static bool
open_fds(struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN};

    connection->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connection->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return connection->epoll_fd >= 0 && connection->timer_fd >= 0 &&
           epoll_ctl(connection->epoll_fd, EPOLL_CTL_ADD, connection->timer_fd,
                     &event) == 0;
}

static bool
set_up(struct connection *connection, const struct redis_options *options)
{
    connection->options = *options;
    connection->client_name = strdup(options->client_name);
    connection->handshake.url = &connection->url;
    connection->handshake.client_name = connection->client_name;
    connection->handshake.greeting = &connection->options.greeting;
    connection->handshake.trust_noeviction = options->trust_noeviction;
    if (connection->client_name == NULL || !open_fds(connection) ||
        redis_url_parse(options->url, &connection->url) != NULL) {
        return false;
    }
    if (connection->url.host != NULL) {
        connection->resolver =
            resolver_open(connection->url.host, connection->url.port);
        return connection->resolver != NULL;
    }
    return true;
}

struct connection *
connection_open(const struct redis_options *options)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        return NULL;
    }
    connection->epoll_fd = -1;
    connection->timer_fd = -1;
    if (!set_up(connection, options)) {
        connection_close(connection);
        return NULL;
    }
    attempt(connection);
    return connection;
}

void
connection_close(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    hang_up(connection);
    command_fini(&connection->handshake.call);
    resolver_close(connection->resolver);
    redis_url_fini(&connection->url);
    free(connection->client_name);
    if (connection->timer_fd >= 0) {
        close(connection->timer_fd);
    }
    if (connection->epoll_fd >= 0) {
        close(connection->epoll_fd);
    }
    free(connection);
}

int
connection_fd(const struct connection *connection)
{
    return connection->epoll_fd;
}

enum redis_state
connection_state(const struct connection *connection)
{
    return connection->state;
}

const char *
connection_error(const struct connection *connection)
{
    return connection->error;
}

enum redis_state
connection_wait(struct connection *connection)
{
    int64_t end_ms = clock_mono_ms() + connection->options.timeout_ms;

    while (connection->state == REDIS_STATE_CONNECTING) {
        struct pollfd pollfd = {.fd = connection->epoll_fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();

        if (left_ms <= 0) {
            break;
        }
        poll(&pollfd, 1, (int)left_ms);
        connection_step(connection);
    }
    return connection->state;
}

redisContext *
connection_context(const struct connection *connection)
{
    return connection->context;
}

int64_t
connection_tcp_port(const struct connection *connection)
{
    return connection->url.path == NULL ? 0 : connection->handshake.tcp_port;
}
