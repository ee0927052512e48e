/*
 * redis_link: one connection through its life. It is in one of four phases:
 *
 *   RESTING   until the next attempt is due
 *   LOOKING   the name is being resolved
 *   GREETING  a socket is connecting, the greeting's commands are under way
 *   READY     scripts can be run
 *
 * The first three advance in redis_link_step, without blocking. An epoll
 * instance of its own holds the socket and a timer, so that the user has one
 * fd for the whole life.
 */
#include "redis_link.h"

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

#include "clock.h"
#include "dial.h"
#include "lookup.h"
#include "redis_greeter.h"
#include "redis_url.h"

enum phase { RESTING, LOOKING, GREETING, READY };

/*
 * Pauses between attempts: short enough to be back within a second of Redis,
 * different for each process so that a pool does not come all at once.
 */
enum { PAUSE_MIN_MS = 100, PAUSE_SPREAD_MS = 400, LOOKUP_POLL_MS = 10 };

struct redis_link {
    struct redis_options options;
    struct redis_url url;
    char *client_name;
    int epoll_fd;
    int timer_fd;
    enum phase phase;
    enum redis_state state;
    int64_t due_ms; /* monotonic: the phase's time limit, or next attempt */
    struct lookup *lookup;       /* NULL for a unix socket */
    const struct addrinfo *next; /* addresses not yet tried in this attempt */
    redisContext *context;       /* NULL where there is no socket */
    uint64_t connections;        /* that were READY so far */
    struct redis_greeter greeter;
    char error[512];
};

static void connect_next(struct redis_link *link);

/* Makes the epoll instance readable delay_ms from now; 0: never. */
static void
set_timer(struct redis_link *link, int64_t delay_ms)
{
    struct itimerspec spec = {0};

    spec.it_value.tv_sec = delay_ms / 1000;
    spec.it_value.tv_nsec = delay_ms % 1000 * 1000000;
    timerfd_settime(link->timer_fd, 0, &spec, NULL);
}

static void
set_due(struct redis_link *link, int64_t delay_ms)
{
    link->due_ms = clock_mono_ms() + delay_ms;
    set_timer(link, delay_ms);
}

static void
watch(struct redis_link *link, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};

    epoll_ctl(link->epoll_fd, operation, link->context->fd, &event);
}

static void
hang_up(struct redis_link *link)
{
    if (link->context != NULL) {
        redisFree(link->context);
        link->context = NULL;
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
become(struct redis_link *link, enum redis_state state)
{
    bool news = link->state != state;

    link->state = state;
    if (news && link->options.on_change != NULL) {
        link->options.on_change(link->options.on_change_context, state,
                                link->error);
    }
}

/* Gives this attempt, or this connection, up; the reason is in error. */
static void
rest(struct redis_link *link, enum redis_state state)
{
    hang_up(link);
    link->phase = RESTING;
    set_due(link, random_pause_ms());
    become(link, state);
}

void
redis_link_note(struct redis_link *link, const char *what, const char *why)
{
    if (link->url.path != NULL) {
        snprintf(link->error, sizeof(link->error), "%s (%s): %s", what,
                 link->url.path, why);
    } else {
        snprintf(link->error, sizeof(link->error), "%s (%s:%s): %s", what,
                 link->url.host, link->url.port, why);
    }
}

/* This address does not work: tries the next, or rests. */
static void
fail_address(struct redis_link *link, const char *why)
{
    redis_link_note(link, "cannot connect", why);
    hang_up(link);
    if (link->next != NULL) {
        connect_next(link);
    } else {
        rest(link, REDIS_STATE_DOWN);
    }
}

/* Says the greeting on fd, which is connecting; -1: it failed (errno). */
static void
greet(struct redis_link *link, int fd)
{
    int64_t left_ms = link->due_ms - clock_mono_ms();

    if (fd < 0) {
        fail_address(link, strerror(errno));
        return;
    }
    link->context = redisConnectFd(fd);
    if (link->context == NULL) {
        close(fd);
        fail_address(link, "no memory");
        return;
    }
    link->context->flags &= ~REDIS_BLOCK;
    if (link->url.path == NULL) {
        redisEnableKeepAlive(link->context);
    }
    link->phase = GREETING;
    set_timer(link, left_ms > 0 ? left_ms : 1);
    redis_greeter_say(&link->greeter, link->context);
    watch(link, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void
connect_next(struct redis_link *link)
{
    const struct addrinfo *address = link->next;

    link->next = address->ai_next;
    greet(link, dial_address(address->ai_addr, address->ai_addrlen));
}

static void
step_looking(struct redis_link *link)
{
    switch (lookup_result(link->lookup, &link->next)) {
    case LOOKUP_PENDING:
        break;
    case LOOKUP_DONE:
        connect_next(link);
        break;
    case LOOKUP_FAILED:
        redis_link_note(link, "cannot find its address",
                        lookup_error(link->lookup));
        rest(link, REDIS_STATE_DOWN);
        break;
    }
}

/* Starts an attempt to connect, with one time limit up to its first address. */
static void
attempt(struct redis_link *link)
{
    link->next = NULL;
    set_due(link, link->options.timeout_ms);
    if (link->lookup == NULL) {
        greet(link, dial_path(link->url.path));
        return;
    }
    link->phase = LOOKING;
    lookup_start(link->lookup);
    set_timer(link, LOOKUP_POLL_MS);
}

static void
finish_greeting(struct redis_link *link)
{
    link->phase = READY;
    link->connections++;
    set_timer(link, 0);
    watch(link, EPOLL_CTL_MOD, EPOLLIN);
    redis_link_note(link, "connected", "ready");
    become(link, REDIS_STATE_UP);
}

/* Takes the replies that are there; ends in READY, or at rest. */
static void
hear_greeting(struct redis_link *link)
{
    switch (redis_greeter_hear(&link->greeter, link->context)) {
    case GREETER_WAITS:
        break;
    case GREETER_DONE:
        finish_greeting(link);
        break;
    case GREETER_BROKEN:
        fail_address(link, link->greeter.why);
        break;
    case GREETER_LATER:
        redis_link_note(link, "cannot be used yet", link->greeter.why);
        rest(link, REDIS_STATE_DOWN);
        break;
    case GREETER_UNUSABLE:
        redis_link_note(link, "cannot be used", link->greeter.why);
        rest(link, REDIS_STATE_UNUSABLE);
        break;
    }
}

static void
step_greeting(struct redis_link *link)
{
    int written = 0;

    if (redisBufferWrite(link->context, &written) != REDIS_OK) {
        fail_address(link, link->context->errstr);
        return;
    }
    if (!written) {
        return;
    }
    watch(link, EPOLL_CTL_MOD, EPOLLIN);
    if (redisBufferRead(link->context) != REDIS_OK) {
        fail_address(link, link->context->errstr);
        return;
    }
    hear_greeting(link);
}

void
redis_link_lose(struct redis_link *link, const char *why)
{
    redis_link_note(link, "connection lost", why);
    hang_up(link);
    become(link, REDIS_STATE_CONNECTING);
    attempt(link);
}

void
redis_link_give_up(struct redis_link *link, const char *why)
{
    redis_link_note(link, "connection given up", why);
    rest(link, REDIS_STATE_DOWN);
}

/* Nothing is expected outside a run: what can be read is the end of it. */
static void
step_ready(struct redis_link *link)
{
    char byte;
    ssize_t n = recv(link->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    redis_link_lose(link, n == 0  ? "closed by Redis"
                          : n > 0 ? "an unexpected reply"
                                  : strerror(errno));
}

/* No answer in time: the next address has a time limit of its own. */
static void
time_out(struct redis_link *link)
{
    redis_link_note(link, "cannot connect", "no answer in time");
    if (link->next == NULL) {
        rest(link, REDIS_STATE_DOWN);
        return;
    }
    hang_up(link);
    become(link, REDIS_STATE_DOWN);
    set_due(link, link->options.timeout_ms);
    connect_next(link);
}

uint64_t
redis_link_look(struct redis_link *link)
{
    if (link->phase == READY) {
        step_ready(link);
    }
    return link->phase == READY ? link->connections : 0;
}

void
redis_link_step(struct redis_link *link)
{
    uint64_t expirations;
    bool due = link->phase != READY && clock_mono_ms() >= link->due_ms;

    /* Empties the timer; that it had not fired is fine. */
    (void)!read(link->timer_fd, &expirations, sizeof(expirations));
    if (link->phase == RESTING) {
        if (due) {
            attempt(link);
        }
    } else if (due) {
        time_out(link);
    } else if (link->phase == LOOKING) {
        step_looking(link);
    } else if (link->phase == GREETING) {
        step_greeting(link);
    } else {
        step_ready(link);
    }
    if (link->phase == LOOKING) {
        set_timer(link, LOOKUP_POLL_MS); /* it has no fd to wait for */
    }
}

static bool
open_fds(struct redis_link *link)
{
    struct epoll_event event = {.events = EPOLLIN};

    link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    link->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return link->epoll_fd >= 0 && link->timer_fd >= 0 &&
           epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->timer_fd, &event) ==
               0;
}

static bool
set_up(struct redis_link *link, const struct redis_options *options)
{
    link->options = *options;
    link->client_name = strdup(options->client_name);
    link->greeter.url = &link->url;
    link->greeter.client_name = link->client_name;
    link->greeter.greeting = &link->options.greeting;
    if (link->client_name == NULL || !open_fds(link) ||
        redis_url_parse(options->url, &link->url) != NULL) {
        return false;
    }
    if (link->url.host != NULL) {
        link->lookup = lookup_open(link->url.host, link->url.port);
        return link->lookup != NULL;
    }
    return true;
}

struct redis_link *
redis_link_open(const struct redis_options *options)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return NULL;
    }
    link->epoll_fd = -1;
    link->timer_fd = -1;
    if (!set_up(link, options)) {
        redis_link_close(link);
        return NULL;
    }
    attempt(link);
    return link;
}

void
redis_link_close(struct redis_link *link)
{
    if (link == NULL) {
        return;
    }
    hang_up(link);
    redis_call_fini(&link->greeter.call);
    lookup_close(link->lookup);
    redis_url_fini(&link->url);
    free(link->client_name);
    if (link->timer_fd >= 0) {
        close(link->timer_fd);
    }
    if (link->epoll_fd >= 0) {
        close(link->epoll_fd);
    }
    free(link);
}

int
redis_link_fd(const struct redis_link *link)
{
    return link->epoll_fd;
}

enum redis_state
redis_link_state(const struct redis_link *link)
{
    return link->state;
}

const char *
redis_link_error(const struct redis_link *link)
{
    return link->error;
}

enum redis_state
redis_link_wait(struct redis_link *link)
{
    int64_t end_ms = clock_mono_ms() + link->options.timeout_ms;

    while (link->state == REDIS_STATE_CONNECTING) {
        struct pollfd pollfd = {.fd = link->epoll_fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();

        if (left_ms <= 0) {
            break;
        }
        poll(&pollfd, 1, (int)left_ms);
        redis_link_step(link);
    }
    return link->state;
}

redisContext *
redis_link_context(const struct redis_link *link)
{
    return link->context;
}

int64_t
redis_link_tcp_port(const struct redis_link *link)
{
    return link->url.path == NULL ? 0 : link->greeter.tcp_port;
}
