/*
 * redis_open: opens and closes a connection, and tells what it knows of its
 * Redis. connection.c has what happens in between.
 */
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/util.h"
#include "connection.h"

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

/* A copy of text; "" for NULL. */
static char *
copy_text(const char *text)
{
    return strdup(text == NULL ? "" : text);
}

/* The nodes of a cluster have the login of Redis, sentinels one of their own.
 */
static bool
open_guide(struct redis *redis, const struct redis_options *options)
{
    bool cluster = redis->url.cluster;
    struct guide_options guide_options = {
        .dialect = cluster ? &cluster_dialect : &sentinel_dialect,
        .question = {.url = &redis->url, .slot = options->slot},
        .timeout_ms = options->timeout_ms,
        .epoll_fd = redis->epoll_fd,
        .tls = redis->tls,
        .peers = &redis->peers};

    redis->guide = calloc(1, sizeof(*redis->guide));
    redis->sentinel_user = copy_text(options->sentinel_user);
    redis->sentinel_password = copy_text(options->sentinel_password);
    if (redis->guide == NULL || redis->sentinel_user == NULL ||
        redis->sentinel_password == NULL) {
        return false;
    }
    guide_options.user = cluster ? redis->url.user : redis->sentinel_user;
    guide_options.password =
        cluster ? redis->url.password : redis->sentinel_password;
    guide_init(redis->guide, &guide_options);
    return true;
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
    if (redis->url.tls) {
        redis->tls = tls_context_open(&options->tls);
        if (redis->tls == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < redis->url.host_count; i++) {
        peers_add_text(&redis->peers, redis->url.hosts[i].host,
                       redis->url.hosts[i].port);
    }
    redis->link.epoll_fd = redis->epoll_fd;
    redis->link.tls = redis->tls;
    redis->link.peers = &redis->peers;
    redis->handshake.peers = &redis->peers;
    if (redis->url.path != NULL) {
        return link_aim_at_path(&redis->link, redis->url.path);
    }
    if (redis->url.host != NULL) {
        return link_aim_at_host(&redis->link, redis->url.host, redis->url.port);
    }
    return open_guide(redis, options);
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
    connection_start(redis);
    return redis;
}

void
redis_close(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    link_fini(&redis->link);
    if (redis->guide != NULL) {
        guide_fini(redis->guide);
        free(redis->guide);
    }
    tls_context_close(redis->tls);
    free(redis->sentinel_user);
    free(redis->sentinel_password);
    freeReplyObject(redis->reply);
    freeReplyObject(redis->wait_reply);
    command_fini(&redis->command);
    command_fini(&redis->handshake.command);
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
redis_follow_ms(const struct redis *redis)
{
    return redis->guide == NULL ? 0
                                : redis->guide->options.dialect->spread_ms +
                                      redis->options.timeout_ms;
}

int64_t
redis_masters(const struct redis *redis)
{
    return redis->guide == NULL ? 1 : int64_max(redis->guide->masters, 1);
}

int64_t
redis_used_memory(const struct redis *redis)
{
    return redis->handshake.used_memory;
}

void
redis_visit_peers(const struct redis *redis, redis_peer_visitor *visit,
                  void *context)
{
    int64_t port = redis->handshake.tcp_port;
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port)};

    for (size_t i = 0; i < peers_count(&redis->peers); i++) {
        visit(context, (const struct sockaddr *)&redis->peers.list[i]);
    }
    if (redis->url.path != NULL && port != 0) {
        local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        visit(context, (const struct sockaddr *)&local);
    }
}

bool
redis_syncs_always(const struct redis *redis)
{
    return strcmp(redis->handshake.appendonly, "yes") == 0 &&
           !redis->handshake.was_replica &&
           strcmp(redis->handshake.appendfsync, "always") == 0;
}
