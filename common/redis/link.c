/*
 * link: connects by itself, as hiredis can neither look up a name without
 * blocking nor try one address after another. hiredis 0.14 has no TLS, and no
 * way to put another function in the place of its reads and writes: with TLS,
 * its buffer is written here, and its reader is fed.
 */
#include "link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reply_limit.h"
#include "tls_advice.h"

enum { READ_SIZE = 16 * 1024 }; /* as hiredis; a record of TLS is no larger */

bool
link_aim_at_path(struct link *link, const char *path)
{
    link_close(link);
    link->local_address.sun_family = AF_UNIX;
    snprintf(link->local_address.sun_path, sizeof(link->local_address.sun_path),
             "%s", path);
    link->local.ai_family = AF_UNIX;
    link->local.ai_addr = (struct sockaddr *)&link->local_address;
    link->local.ai_addrlen = sizeof(link->local_address);
    link->name = strdup(path);
    return link->name != NULL;
}

bool
link_aim_at_host(struct link *link, const char *host, const char *port)
{
    size_t size = strlen(host) + strlen(port) + sizeof(":");

    link_close(link);
    resolver_close(link->resolver);
    free(link->name);
    free(link->host);
    link->resolver = resolver_open(host, port);
    link->name = malloc(size);
    link->host = strdup(host);
    if (link->resolver == NULL || link->name == NULL || link->host == NULL) {
        return false;
    }
    snprintf(link->name, size, "%s:%s", host, port);
    return true;
}

void
link_start(struct link *link)
{
    link_close(link);
    attempt_start(&link->attempt, NULL);
    link->resolving = true;
    if (link->resolver != NULL) {
        resolver_start(link->resolver);
    }
}

enum resolver_state
link_resolve(struct link *link)
{
    const struct addrinfo *addresses = &link->local;
    enum resolver_state state =
        link->resolver == NULL ? RESOLVER_DONE
                               : resolver_result(link->resolver, &addresses);

    link->resolving = state == RESOLVER_PENDING;
    if (state == RESOLVER_DONE) {
        attempt_start(&link->attempt, addresses);
    }
    return state;
}

const char *
link_error(const struct link *link)
{
    return resolver_error(link->resolver);
}

bool
link_has_next(const struct link *link)
{
    return link->attempt.next != NULL;
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
watch(struct link *link, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};

    link->events = events;
    epoll_ctl(link->epoll_fd, operation, link->context->fd, &event);
}

/* Returns NULL, or why there can be no TLS. */
static const char *
start_tls(struct link *link)
{
    const char *problem;

    if (link->tls == NULL || link->host == NULL) {
        return NULL;
    }
    link->tls_socket =
        tls_socket_open(link->tls, link->context->fd, link->host);
    problem = tls_context_problem(link->tls);
    return link->tls_socket != NULL ? NULL
           : problem[0] != '\0'     ? problem
                                    : "no memory";
}

const char *
link_connect(struct link *link)
{
    const struct addrinfo *address = attempt_next(&link->attempt);
    int fd = connect_socket(address->ai_addr, address->ai_addrlen);

    peers_add(link->peers, address->ai_addr);
    if (fd < 0) {
        return strerror(errno);
    }
    link->context = redisConnectFd(fd);
    if (link->context == NULL) {
        close(fd);
        return "no memory";
    }
    link->context->flags &= ~REDIS_BLOCK;
    reply_limit_set(link->context->reader);
    link->unsent = true;
    link->heard = false;
    if (address->ai_family != AF_UNIX) {
        redisEnableKeepAlive(link->context);
    }
    watch(link, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return start_tls(link);
}

static bool
fail(struct link *link, const char *why)
{
    snprintf(link->error, sizeof(link->error), "%s", why);
    return false;
}

/* hiredis does not go on after an error, but what has come can be read. */
static bool
fail_by_hiredis(struct link *link)
{
    link->context->err = 0;
    return fail(link, link->context->errstr);
}

/* Only what is in sds.h itself is called: not all releases export the rest. */
static bool
write_tls(struct link *link)
{
    char *bytes = link->context->obuf;
    size_t len = sdslen(bytes);

    while (link->written < len) {
        ssize_t written = tls_socket_write(
            link->tls_socket, bytes + link->written, len - link->written);

        if (written < 0) {
            return fail(link, tls_socket_error(link->tls_socket));
        }
        if (written == 0) {
            return true;
        }
        link->written += (size_t)written;
    }
    link->written = 0;
    link->unsent = false;
    sdssetlen(bytes, 0);
    bytes[0] = '\0';
    return true;
}

bool
link_write(struct link *link)
{
    int all = 0;

    link->unsent = true;
    if (link->tls_socket != NULL) {
        return write_tls(link);
    }
    if (redisBufferWrite(link->context, &all) != REDIS_OK) {
        return fail_by_hiredis(link);
    }
    link->unsent = !all;
    return true;
}

static bool
read_tls(struct link *link)
{
    redisReader *reader = link->context->reader;
    char bytes[READ_SIZE];
    ssize_t len = tls_socket_read(link->tls_socket, bytes, sizeof(bytes));

    if (len < 0) {
        return fail(link, tls_socket_error(link->tls_socket));
    }
    return len == 0 || redisReaderFeed(reader, bytes, (size_t)len) == REDIS_OK
               ? true
               : fail(link, reader->errstr);
}

bool
link_read(struct link *link)
{
    if (link->tls_socket != NULL) {
        return read_tls(link);
    }
    return redisBufferRead(link->context) == REDIS_OK || fail_by_hiredis(link);
}

short
link_events(const struct link *link)
{
    if (link->tls_socket != NULL) {
        return tls_socket_events(link->tls_socket, link->unsent);
    }
    return (short)(link->unsent ? POLLIN | POLLOUT : POLLIN);
}

/* A Redis whose port is for TLS closes the connection without a word. */
static bool
fail_early(struct link *link, const char *why)
{
    bool has_hung_up = strcmp(why, "Server closed the connection") == 0 ||
                       strcmp(why, strerror(ECONNRESET)) == 0 ||
                       strcmp(why, strerror(EPIPE)) == 0;

    if (link->heard || !has_hung_up || link->host == NULL) {
        return fail(link, why);
    }
    snprintf(link->error, sizeof(link->error), "%s%s", why, tls_advice_plain);
    return false;
}

/* Without TLS the first error is kept: it says what the second follows from. */
bool
link_exchange(struct link *link)
{
    char first[sizeof(link->error)];
    bool sent = link_write(link);
    uint32_t events;

    memcpy(first, link->error, sizeof(first));
    if (!link_read(link)) {
        return link->tls_socket != NULL
                   ? false
                   : fail_early(link, sent ? link->context->errstr : first);
    }
    link->heard = link->heard || link->context->reader->len > 0;
    events = (uint32_t)link_events(link); /* EPOLLIN is POLLIN, and so on */
    if (events != link->events) {
        watch(link, EPOLL_CTL_MOD, events);
    }
    return sent;
}

const char *
link_why(const struct link *link)
{
    return link->error;
}

const char *
link_silence(const struct link *link)
{
    return link->tls_socket == NULL || tls_socket_is_ready(link->tls_socket)
               ? "no answer in time"
               : tls_advice_silent;
}

const char *
link_look(struct link *link, bool reading)
{
    char byte;
    ssize_t len;

    if (link->tls_socket != NULL) {
        /* Bytes that were peeked at would be seen by no poll any more. */
        return reading ? NULL : tls_socket_look(link->tls_socket);
    }
    len = recv(link->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if ((len < 0 && (errno == EAGAIN || errno == EINTR)) ||
        (len > 0 && reading)) {
        return NULL;
    }
    return len == 0  ? "closed by the server"
           : len > 0 ? "an unexpected reply"
                     : strerror(errno);
}

void
link_close(struct link *link)
{
    link->resolving = false;
    link->written = 0;
    tls_socket_close(link->tls_socket);
    link->tls_socket = NULL;
    if (link->context != NULL) {
        redisFree(link->context);
        link->context = NULL;
    }
}

void
link_fini(struct link *link)
{
    link_close(link);
    resolver_close(link->resolver);
    free(link->name);
    free(link->host);
    memset(link, 0, sizeof(*link));
}
