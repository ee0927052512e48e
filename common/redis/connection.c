/*
 * connection: the life of a connection to Redis, in four phases (see enum
 * connection_phase). The phases before READY advance in redis_step and never
 * block. An epoll instance holds the socket and a timer, so that the user has
 * one fd to watch for the whole life, whichever socket is open.
 */
#include "connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "resolver.h"
#include "review.h"

/*
 * The pause between attempts is short enough to reconnect within a second after
 * Redis is back. It is random, so that the processes of a pool do not all
 * connect at the same time.
 */
enum { PAUSE_MIN_MS = 100, PAUSE_SPREAD_MS = 400, RESOLVER_POLL_MS = 10 };

static void connect_next(struct redis *redis);

/* Makes the epoll instance readable delay_ms from now; 0: never. */
static void
set_timer(struct redis *redis, int64_t delay_ms)
{
    struct itimerspec spec = {0};

    spec.it_value.tv_sec = delay_ms / 1000;
    spec.it_value.tv_nsec = delay_ms % 1000 * 1000000;
    timerfd_settime(redis->timer_fd, 0, &spec, NULL);
}

void
connection_set_due(struct redis *redis, int64_t delay_ms)
{
    redis->due_ms = delay_ms == 0 ? INT64_MAX : clock_mono_ms() + delay_ms;
    set_timer(redis, delay_ms);
}

static void
watch_socket(struct redis *redis, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};

    epoll_ctl(redis->epoll_fd, operation, redis->context->fd, &event);
}

static void
close_socket(struct redis *redis)
{
    redis->reviewing = false;
    if (redis->context != NULL) {
        redisFree(redis->context);
        redis->context = NULL;
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
set_state(struct redis *redis, enum redis_state state)
{
    struct redis_change change = {.state = state, .reason = redis->error};

    redis->state = state;
    if (state == REDIS_STATE_UP) {
        change.warning = handshake_warning(&redis->handshake);
    }
    if (redis->options.on_change != NULL) {
        redis->options.on_change(redis->options.on_change_context, &change);
    }
}

void
connection_pause(struct redis *redis, enum redis_state state)
{
    close_socket(redis);
    redis->phase = CONNECTION_PAUSED;
    connection_set_due(redis, random_pause_ms());
    set_state(redis, state);
}

void
connection_set_error(struct redis *redis, const char *what, const char *why)
{
    if (redis->url.path != NULL) {
        snprintf(redis->error, sizeof(redis->error), "%s (%s): %s", what,
                 redis->url.path, why);
    } else {
        snprintf(redis->error, sizeof(redis->error), "%s (%s:%s): %s", what,
                 redis->url.host, redis->url.port, why);
    }
}

/* Notes why this address cannot be used, and closes its socket. */
static void
give_up_address(struct redis *redis, enum attempt_finding finding,
                const char *why)
{
    why = attempt_fail(&redis->attempt, finding, why);
    connection_set_error(redis, attempt_what(&redis->attempt), why);
    close_socket(redis);
}

/* This address cannot be used: tries the next, if there is another. */
static void
fail_address(struct redis *redis, enum attempt_finding finding, const char *why)
{
    give_up_address(redis, finding, why);
    if (redis->attempt.next != NULL) {
        connect_next(redis);
    } else {
        connection_pause(redis, attempt_state(&redis->attempt));
    }
}

/* Puts the handshake on fd, which is connecting; -1: connect failed (errno). */
static void
start_handshake(struct redis *redis, int fd)
{
    int64_t left_ms = redis->due_ms - clock_mono_ms();

    if (fd < 0) {
        fail_address(redis, ATTEMPT_NO_ANSWER, strerror(errno));
        return;
    }
    redis->context = redisConnectFd(fd);
    if (redis->context == NULL) {
        close(fd);
        fail_address(redis, ATTEMPT_NO_ANSWER, "no memory");
        return;
    }
    redis->context->flags &= ~REDIS_BLOCK;
    if (redis->url.path == NULL) {
        redisEnableKeepAlive(redis->context);
    }
    redis->phase = CONNECTION_HANDSHAKE;
    set_timer(redis, left_ms > 0 ? left_ms : 1);
    redis->reviewed_ms = clock_mono_ms();
    handshake_send(&redis->handshake, redis->context);
    watch_socket(redis, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

/*
 * Starts a connect(2). Returns the socket, non-blocking and close-on-exec, or
 * -1 (errno).
 */
static int
connect_socket(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address, len) != 0 && errno != EINPROGRESS) {
        int reason = errno;

        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static void
connect_path(struct redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis->url.path);
    start_handshake(redis, connect_socket((const struct sockaddr *)&address,
                                          sizeof(address)));
}

static void
connect_next(struct redis *redis)
{
    const struct addrinfo *address = attempt_next(&redis->attempt);

    start_handshake(redis,
                    connect_socket(address->ai_addr, address->ai_addrlen));
}

static void
step_resolving(struct redis *redis)
{
    const struct addrinfo *addresses;

    switch (resolver_result(redis->resolver, &addresses)) {
    case RESOLVER_PENDING:
        break;
    case RESOLVER_DONE:
        attempt_start(&redis->attempt, addresses);
        connect_next(redis);
        break;
    case RESOLVER_FAILED:
        connection_set_error(redis, "cannot find its address",
                             resolver_error(redis->resolver));
        connection_pause(redis, REDIS_STATE_DOWN);
        break;
    }
}

/* Starts an attempt. Look-up and first address share one time limit. */
static void
start_attempt(struct redis *redis)
{
    attempt_start(&redis->attempt, NULL);
    connection_set_due(redis, redis->options.timeout_ms);
    if (redis->resolver == NULL) {
        connect_path(redis);
        return;
    }
    redis->phase = CONNECTION_RESOLVING;
    resolver_start(redis->resolver);
    set_timer(redis, RESOLVER_POLL_MS);
}

static void
finish_handshake(struct redis *redis)
{
    redis->phase = CONNECTION_READY;
    redis->connections++;
    review_plan(redis);
    connection_set_error(redis, "connected", "ready");
    set_state(redis, REDIS_STATE_UP);
}

/*
 * Takes the replies that have arrived. If more are needed and the connection is
 * broken, tries the next address. broken is the reason; "": it is not broken.
 */
static void
receive_handshake(struct redis *redis, const char *broken)
{
    const char *why = redis->handshake.why;

    switch (handshake_receive(&redis->handshake, redis->context)) {
    case HANDSHAKE_PENDING:
        if (broken[0] != '\0') {
            fail_address(redis, ATTEMPT_NO_ANSWER, broken);
        }
        break;
    case HANDSHAKE_DONE:
        finish_handshake(redis);
        break;
    case HANDSHAKE_BROKEN:
        fail_address(redis, ATTEMPT_NO_ANSWER, why);
        break;
    case HANDSHAKE_RETRY:
        fail_address(redis, ATTEMPT_NOT_YET, why);
        break;
    case HANDSHAKE_UNUSABLE:
        fail_address(redis, ATTEMPT_UNUSABLE, why);
        break;
    }
}

/*
 * Reads even if the commands could not be written: a Redis that refuses a
 * client sends an error reply and closes the connection. hiredis reads only if
 * no error is set.
 */
static void
step_handshake(struct redis *redis)
{
    redisContext *context = redis->context;
    char broken[sizeof(context->errstr)] = "";
    int written = 0;

    if (redisBufferWrite(context, &written) != REDIS_OK) {
        snprintf(broken, sizeof(broken), "%s", context->errstr);
        context->err = 0;
    }
    if (written) {
        watch_socket(redis, EPOLL_CTL_MOD, EPOLLIN);
    }
    if (redisBufferRead(context) != REDIS_OK && broken[0] == '\0') {
        snprintf(broken, sizeof(broken), "%s", context->errstr);
    }
    receive_handshake(redis, broken);
}

void
connection_reconnect(struct redis *redis, const char *why)
{
    connection_set_error(redis, "connection lost", why);
    close_socket(redis);
    set_state(redis, REDIS_STATE_CONNECTING);
    start_attempt(redis);
}

void
connection_give_up(struct redis *redis, const char *why)
{
    connection_set_error(redis, "connection given up", why);
    connection_pause(redis, REDIS_STATE_DOWN);
}

/* Takes the replies to a review. False if the connection is closed by now. */
static bool
receive_review(struct redis *redis)
{
    if (redisBufferRead(redis->context) != REDIS_OK) {
        connection_reconnect(redis, redis->context->errstr);
        return false;
    }
    return review_step(redis);
}

/*
 * Between runs Redis sends nothing but the replies to a review. If the socket
 * is readable otherwise, it is broken.
 */
static void
step_ready(struct redis *redis)
{
    char byte;
    ssize_t len;

    if (redis->reviewing && !receive_review(redis)) {
        return;
    }
    len = recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if ((len < 0 && (errno == EAGAIN || errno == EINTR)) ||
        (len > 0 && redis->reviewing)) {
        return;
    }
    connection_reconnect(redis, len == 0  ? "closed by Redis"
                                : len > 0 ? "an unexpected reply"
                                          : strerror(errno));
}

/* The time limit is over; the next address gets a time limit of its own. */
static void
time_out(struct redis *redis)
{
    give_up_address(redis, ATTEMPT_NO_ANSWER, "no answer in time");
    if (redis->attempt.next == NULL) {
        connection_pause(redis, attempt_state(&redis->attempt));
        return;
    }
    set_state(redis, REDIS_STATE_DOWN);
    connection_set_due(redis, redis->options.timeout_ms);
    connect_next(redis);
}

uint64_t
redis_connection(const struct redis *redis)
{
    return redis->phase == CONNECTION_READY ? redis->connections : 0;
}

uint64_t
redis_check_connection(struct redis *redis)
{
    if (redis->phase == CONNECTION_READY) {
        step_ready(redis);
    }
    return redis_connection(redis);
}

bool
redis_syncs_always(const struct redis *redis)
{
    return strcmp(redis->handshake.appendonly, "yes") == 0 &&
           !redis->handshake.was_replica &&
           strcmp(redis->handshake.appendfsync, "always") == 0;
}

static void
step_phase(struct redis *redis)
{
    switch (redis->phase) {
    case CONNECTION_PAUSED:
        break;
    case CONNECTION_RESOLVING:
        step_resolving(redis);
        break;
    case CONNECTION_HANDSHAKE:
        step_handshake(redis);
        break;
    case CONNECTION_READY:
        step_ready(redis);
        break;
    }
}

static void
step_due(struct redis *redis)
{
    switch (redis->phase) {
    case CONNECTION_PAUSED:
        start_attempt(redis);
        break;
    case CONNECTION_RESOLVING:
    case CONNECTION_HANDSHAKE:
        time_out(redis);
        break;
    case CONNECTION_READY:
        step_ready(redis); /* what has arrived meanwhile counts */
        if (redis->phase == CONNECTION_READY &&
            clock_mono_ms() >= redis->due_ms) {
            review_step_due(redis);
        }
        break;
    }
}

void
redis_step(struct redis *redis)
{
    uint64_t expirations;
    bool is_due = clock_mono_ms() >= redis->due_ms;

    /* Resets the timer; if it has not fired, the read fails, which is fine. */
    (void)!read(redis->timer_fd, &expirations, sizeof(expirations));
    if (is_due) {
        step_due(redis);
    } else {
        step_phase(redis);
    }
    if (redis->phase == CONNECTION_RESOLVING) {
        set_timer(redis, RESOLVER_POLL_MS); /* the resolver has no fd */
    }
}

static bool
open_fds(struct redis *redis)
{
    struct epoll_event event = {.events = EPOLLIN};

    redis->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    redis->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return redis->epoll_fd >= 0 && redis->timer_fd >= 0 &&
           epoll_ctl(redis->epoll_fd, EPOLL_CTL_ADD, redis->timer_fd, &event) ==
               0;
}

/* Reads the url and the password. */
static bool
set_address(struct redis *redis, const struct redis_options *options)
{
    const char *password = options->password;

    if (redis_url_parse(options->url, &redis->url) != NULL) {
        return false;
    }
    if (redis->url.password == NULL && password != NULL &&
        password[0] != '\0') {
        redis->url.password = strdup(password);
        return redis->url.password != NULL;
    }
    return redis->url.user == NULL || redis->url.password != NULL;
}

static bool
set_up(struct redis *redis, const struct redis_options *options)
{
    redis->options = *options;
    redis->client_name = strdup(options->client_name);
    redis->options.client_name = redis->client_name;
    redis->handshake.url = &redis->url;
    redis->handshake.options = &redis->options;
    if (redis->client_name == NULL || !open_fds(redis) ||
        !set_address(redis, options)) {
        return false;
    }
    if (redis->url.host != NULL) {
        redis->resolver = resolver_open(redis->url.host, redis->url.port);
        return redis->resolver != NULL;
    }
    return true;
}

struct redis *
redis_open(const struct redis_options *options)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL) {
        return NULL;
    }
    redis->epoll_fd = -1;
    redis->timer_fd = -1;
    if (!set_up(redis, options)) {
        redis_close(redis);
        return NULL;
    }
    start_attempt(redis);
    return redis;
}

void
redis_close(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    close_socket(redis);
    freeReplyObject(redis->reply);
    freeReplyObject(redis->wait_reply);
    command_fini(&redis->command);
    command_fini(&redis->handshake.command);
    resolver_close(redis->resolver);
    redis_url_fini(&redis->url);
    free(redis->client_name);
    if (redis->timer_fd >= 0) {
        close(redis->timer_fd);
    }
    if (redis->epoll_fd >= 0) {
        close(redis->epoll_fd);
    }
    free(redis);
}

int
redis_fd(const struct redis *redis)
{
    return redis->epoll_fd;
}

int64_t
redis_max_memory(const struct redis *redis)
{
    return redis->handshake.max_memory;
}

int64_t
redis_used_memory(const struct redis *redis)
{
    return redis->handshake.used_memory;
}

bool
redis_peer(const struct redis *redis, struct sockaddr_storage *address)
{
    int64_t port = redis->handshake.tcp_port;
    struct sockaddr_in *local = (struct sockaddr_in *)address;
    socklen_t len = sizeof(*address);

    if (redis->state != REDIS_STATE_UP) {
        return false;
    }
    if (redis->url.path == NULL || port == 0) {
        return getpeername(redis->context->fd, (struct sockaddr *)address,
                           &len) == 0;
    }
    *local = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    local->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return true;
}
