/*
 * link: connects by itself, as hiredis can neither look up a name without
 * blocking nor try one address after another.
 */
#include "link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

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
    link->resolver = resolver_open(host, port);
    link->name = malloc(size);
    if (link->resolver == NULL || link->name == NULL) {
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

    epoll_ctl(link->epoll_fd, operation, link->context->fd, &event);
}

const char *
link_connect(struct link *link)
{
    const struct addrinfo *address = attempt_next(&link->attempt);
    int fd = connect_socket(address->ai_addr, address->ai_addrlen);

    if (fd < 0) {
        return strerror(errno);
    }
    link->context = redisConnectFd(fd);
    if (link->context == NULL) {
        close(fd);
        return "no memory";
    }
    link->context->flags &= ~REDIS_BLOCK;
    if (address->ai_family != AF_UNIX) {
        redisEnableKeepAlive(link->context);
    }
    watch(link, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return NULL;
}

bool
link_write(struct link *link, bool *all)
{
    int written = 0;
    bool ok = redisBufferWrite(link->context, &written) == REDIS_OK;

    *all = written;
    return ok;
}

bool
link_read(struct link *link)
{
    return redisBufferRead(link->context) == REDIS_OK;
}

void
link_watch_reading(struct link *link)
{
    watch(link, EPOLL_CTL_MOD, EPOLLIN);
}

const char *
link_look(struct link *link, bool reading)
{
    char byte;
    ssize_t len = recv(link->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

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
    memset(link, 0, sizeof(*link));
}
