/*
 * link: the fd stays in the epoll set, edge-triggered and for all events, from
 * connect to close. So a request costs a write, a read and its part of an
 * epoll_wait.
 */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void
disconnect(struct link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
    }
    link->fd = -1;
    link->connected = false;
    link->in_len = 0;
}

static enum link_state
fail(struct link *link)
{
    link->error = link->connected ? OUTCOME_LOST : OUTCOME_CONNECT;
    link->busy = false;
    disconnect(link);
    return LINK_FAILED;
}

void
link_init(struct link *link, int epoll_fd, const struct addrinfo *peer,
          const char *peer_name)
{
    memset(link, 0, sizeof(*link));
    link->epoll_fd = epoll_fd;
    link->fd = -1;
    link->peer = peer;
    link->peer_name = peer_name;
}

void
link_fini(struct link *link)
{
    disconnect(link);
}

void
link_abandon(struct link *link)
{
    fail(link);
    link->error = OUTCOME_TIMEOUT;
}

static int
start_connecting(struct link *link)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = link,
    };
    const int on = 1;

    link->fd = socket(link->peer->ai_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        return -1;
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) < 0) {
        return -1;
    }
    if (connect(link->fd, link->peer->ai_addr, link->peer->ai_addrlen) == 0) {
        link->connected = true;
    } else if (errno != EINPROGRESS) {
        return -1;
    }
    return 0;
}

/* Sends the rest of the request. -1 if the connection is broken. */
static int
flush(struct link *link)
{
    ssize_t n;

    while (link->connected && link->out_done < link->out_len) {
        n = send(link->fd, link->out + link->out_done,
                 link->out_len - link->out_done, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        }
        link->out_done += n;
    }
    return 0;
}

enum link_state
link_send(struct link *link, const char *target)
{
    int len = snprintf(link->out, sizeof(link->out),
                       "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                       link->peer_name);

    link->busy = true;
    link->out_len = (size_t)len < sizeof(link->out) ? len : 0;
    link->out_done = 0;
    if (link->fd < 0 && start_connecting(link) < 0) {
        return fail(link);
    }
    if (flush(link) < 0) {
        return fail(link);
    }
    return LINK_BUSY;
}

static enum link_state
take_answer(struct link *link, bool peer_closed)
{
    int64_t len = answer_parse(link->in, link->in_len, &link->answer);

    if (len == 0 && link->in_len < sizeof(link->in)) {
        return LINK_BUSY;
    }
    link->busy = false;
    if (len <= 0 || (size_t)len != link->in_len) {
        disconnect(link);
        link->error = OUTCOME_MALFORMED;
        return LINK_FAILED;
    }
    link->in_len = 0;
    if (peer_closed || link->answer.close) {
        disconnect(link);
    }
    return LINK_ANSWERED;
}

/* Reads until the answer is complete or no more bytes have arrived. */
static enum link_state
receive(struct link *link, bool peer_closed)
{
    enum link_state state = LINK_BUSY;
    ssize_t n;

    while (state == LINK_BUSY) {
        n = recv(link->fd, link->in + link->in_len,
                 sizeof(link->in) - link->in_len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return LINK_BUSY;
        }
        if (n <= 0) {
            return fail(link);
        }
        link->in_len += n;
        state = take_answer(link, peer_closed);
    }
    return state;
}

static int
finish_connecting(struct link *link)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ||
        error) {
        return -1;
    }
    link->connected = true;
    return 0;
}

enum link_state
link_step(struct link *link, uint32_t events)
{
    bool closed = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

    if (link->fd < 0) {
        return LINK_IDLE;
    }
    if (!link->busy) {
        if (closed) {
            disconnect(link);
        }
        return LINK_IDLE;
    }
    if (!link->connected && finish_connecting(link) < 0) {
        return fail(link);
    }
    if (flush(link) < 0) {
        return fail(link);
    }
    if ((events & ~(uint32_t)EPOLLOUT) == 0) {
        return LINK_BUSY;
    }
    return receive(link, closed);
}
