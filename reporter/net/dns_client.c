/*
 * dns_client: questions share sockets, but not for long. A channel of c-ares
 * (its sockets, and what it has read of resolv.conf) takes QUESTIONS_MAX
 * questions within LIFE_MS; then the next channel is made. So a changed
 * resolv.conf is followed, the answers to a channel's questions fit into the
 * buffer of its socket, and whoever wants to forge answers has to find a new
 * port each time (RFC 5452, 9.2; c-ares has one socket for all questions).
 *
 * ares_timeout() of c-ares 1.18 walks through all open questions. So a timer
 * runs while there are any.
 */
#include "dns_client.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/ip_address.h"
#include "base/util.h"

enum {
    TICK_MS = 20,
    QUESTIONS_MAX = 64, /* of a channel */
    LIFE_MS = 5000,     /* of a channel for new questions */
    TRIES = 3,          /* at each server, with 1, 2 and 4 times ... */
    TRIES_SUM = 7,      /* ... the first time limit */
    ADDRESSES_MAX = 16, /* of one name; more are ignored */
    /* Each address may have brackets and a comma. */
    LIST_SIZE = ADDRESSES_MAX * (IP_ADDRESS_TEXT_SIZE + 3) + 1,
};

struct channel {
    TAILQ_ENTRY(channel) link;
    struct dns_client *client;
    ares_channel ares;
    int asked;         /* questions so far */
    int open;          /* questions without an answer */
    int64_t opened_ms; /* monotonic */
};

TAILQ_HEAD(channels, channel);

struct dns_client {
    struct event_loop *loop;
    char *servers;
    int64_t patience_ms;
    struct channels channels; /* the newest last */
    struct event_loop_timer timer;
};

struct question {
    struct channel *channel;
    dns_client_handler *handler;
    void *context;
};

/*
 * The addresses as a list for CURLOPT_RESOLVE, and their TTL. False if there
 * are none.
 */
static bool
format(const struct ares_addrinfo *found, char list[LIST_SIZE], int64_t *ttl_s)
{
    const struct ares_addrinfo_node *node = found->nodes;
    size_t len = 0;
    int count = 0;

    *ttl_s = INT32_MAX;
    for (; node != NULL && count < ADDRESSES_MAX; node = node->ai_next) {
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address address;
        uint16_t port;

        if (ip_address_read(node->ai_addr, &address, &port) == 0) {
            ip_address_format(&address, text);
            len +=
                (size_t)snprintf(list + len, LIST_SIZE - len,
                                 address.family == AF_INET6 ? "%s[%s]" : "%s%s",
                                 count > 0 ? "," : "", text);
            *ttl_s = int64_min(*ttl_s, int64_max(node->ai_ttl, 0));
            count++;
        }
    }
    return count > 0;
}

/* An ares_addrinfo_callback. */
static void
on_answer(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = context;
    char list[LIST_SIZE];
    int64_t ttl_s = 0;
    bool any = status == ARES_SUCCESS && format(found, list, &ttl_s);

    (void)timeouts;
    question->channel->open--;
    if (status != ARES_EDESTRUCTION) {
        question->handler(question->context, any ? list : NULL, ttl_s);
    }
    if (found != NULL) {
        ares_freeaddrinfo(found);
    }
    free(question);
}

static void
channel_close(struct channel *channel)
{
    TAILQ_REMOVE(&channel->client->channels, channel, link);
    if (channel->ares != NULL) {
        ares_destroy(channel->ares);
    }
    free(channel);
}

/* True if it takes no more questions. */
static bool
is_worn(const struct channel *channel)
{
    return channel->asked >= QUESTIONS_MAX ||
           clock_mono_ms() - channel->opened_ms >= LIFE_MS;
}

/* A change of the sockets of a channel. An ares_sock_state_cb. */
static void on_socket(void *context, ares_socket_t fd, int readable,
                      int writable);

static struct channel *
channel_open(struct dns_client *client)
{
    struct channel *channel = calloc(1, sizeof(*channel));
    struct ares_options options = {
        .timeout = (int)int64_max(client->patience_ms / TRIES_SUM, 1),
        .tries = TRIES,
        .lookups = (char[]){"fb"}, /* files, then DNS */
        .sock_state_cb = on_socket,
        .sock_state_cb_data = channel,
    };

    if (channel == NULL) {
        return NULL;
    }
    channel->client = client;
    channel->opened_ms = clock_mono_ms();
    TAILQ_INSERT_TAIL(&client->channels, channel, link);
    if (ares_init_options(&channel->ares, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB) !=
            ARES_SUCCESS ||
        (client->servers[0] != '\0' &&
         ares_set_servers_ports_csv(channel->ares, client->servers) !=
             ARES_SUCCESS)) {
        channel_close(channel);
        return NULL;
    }
    return channel;
}

/* Plans a tick if there are open questions, or channels to be closed. */
static void
plan_tick(struct dns_client *client)
{
    const struct channel *channel = TAILQ_FIRST(&client->channels);

    for (; channel != NULL; channel = TAILQ_NEXT(channel, link)) {
        if ((channel->open > 0 || is_worn(channel)) && !client->timer.armed) {
            event_loop_arm(client->loop, &client->timer, TICK_MS);
        }
    }
}

/* Bytes, or an error, at a socket. An event_loop_fd_handler. */
static void
on_events(void *context, int fd, uint32_t events)
{
    struct channel *channel = context;
    bool writable = (events & EPOLLOUT) != 0;

    ares_process_fd(channel->ares,
                    (events & ~(uint32_t)EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD,
                    writable ? fd : ARES_SOCKET_BAD);
}

static void
on_socket(void *context, ares_socket_t fd, int readable, int writable)
{
    struct channel *channel = context;
    uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);

    if (events == 0) {
        event_loop_forget(channel->client->loop, fd);
    } else {
        /* If it can't be watched, its questions end by their time limit. */
        (void)event_loop_watch(channel->client->loop, fd, events, on_events,
                               channel);
    }
}

/* Time limits; the end of channels that are used up. */
static void
on_timer(void *context)
{
    struct dns_client *client = context;
    struct channel *channel = TAILQ_FIRST(&client->channels);

    while (channel != NULL) {
        struct channel *next;

        ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        /* A handler may have added one. */
        next = TAILQ_NEXT(channel, link);
        if (channel->open == 0 && is_worn(channel)) {
            channel_close(channel);
        }
        channel = next;
    }
    plan_tick(client);
}

struct dns_client *
dns_client_open(struct event_loop *loop, const char *servers,
                int64_t patience_ms)
{
    struct dns_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        return NULL;
    }
    client->loop = loop;
    client->patience_ms = patience_ms;
    client->timer.handler = on_timer;
    client->timer.context = client;
    client->servers = strdup(servers);
    TAILQ_INIT(&client->channels);
    if (client->servers == NULL ||
        ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        free(client->servers);
        free(client);
        return NULL;
    }
    return client;
}

void
dns_client_close(struct dns_client *client)
{
    struct channel *channel;
    struct channel *next;

    if (client == NULL) {
        return;
    }
    event_loop_disarm(client->loop, &client->timer);
    for (channel = TAILQ_FIRST(&client->channels); channel != NULL;
         channel = next) {
        next = TAILQ_NEXT(channel, link);
        channel_close(channel);
    }
    ares_library_cleanup();
    free(client->servers);
    free(client);
}

int
dns_client_ask(struct dns_client *client, const char *name,
               dns_client_handler *handler, void *context)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                        .ai_socktype = SOCK_STREAM};
    struct channel *channel = TAILQ_LAST(&client->channels, channels);
    struct question *question = calloc(1, sizeof(*question));

    if (channel == NULL || is_worn(channel)) {
        channel = channel_open(client);
    }
    if (question == NULL || channel == NULL) {
        free(question);
        return -1;
    }
    *question = (struct question){channel, handler, context};
    channel->asked++;
    channel->open++;
    ares_getaddrinfo(channel->ares, name, NULL, &hints, on_answer, question);
    plan_tick(client);
    return 0;
}
