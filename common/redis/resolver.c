/*
 * resolver: each look-up has a channel of c-ares of its own, so that a changed
 * resolv.conf is followed. Its sockets are looked at whenever the caller asks
 * for the result.
 */
#include "resolver.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    TIMEOUT_MS =
        1000, /* of the first try; each further one has twice as long */
    TRIES = 3,
    SOCKETS_MAX =
        16, /* three name servers, by UDP and TCP; more are not seen */
};

/* An address of the result. */
struct address {
    struct addrinfo info; /* first: the list is one of addrinfo */
    struct sockaddr_storage storage;
};

struct resolver {
    char *host;
    char *port;
    ares_channel channel; /* NULL: no look-up was started */
    int sockets[SOCKETS_MAX];
    bool writing[SOCKETS_MAX]; /* waits until it may write */
    int socket_count;
    bool pending;
    int code; /* ARES_...: the last result */
    struct addrinfo *found;
};

struct resolver *
resolver_open(const char *host, const char *port)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL) {
        return NULL;
    }
    resolver->host = strdup(host);
    resolver->port = strdup(port);
    if (resolver->host == NULL || resolver->port == NULL) {
        resolver_close(resolver);
        return NULL;
    }
    return resolver;
}

/* Ends the look-up, and frees the result. */
static void
clear(struct resolver *resolver)
{
    struct addrinfo *next;

    if (resolver->channel != NULL) {
        ares_destroy(resolver->channel);
        ares_library_cleanup();
        resolver->channel = NULL;
    }
    for (; resolver->found != NULL; resolver->found = next) {
        next = resolver->found->ai_next;
        free(resolver->found);
    }
    resolver->socket_count = 0;
    resolver->pending = false;
}

void
resolver_close(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    clear(resolver);
    free(resolver->host);
    free(resolver->port);
    free(resolver);
}

/* A change of the sockets of the channel. An ares_sock_state_cb. */
static void
on_socket(void *context, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = context;
    int i = 0;

    while (i < resolver->socket_count && resolver->sockets[i] != fd) {
        i++;
    }
    if (!readable && !writable) {
        if (i < resolver->socket_count) {
            resolver->socket_count--;
            resolver->sockets[i] = resolver->sockets[resolver->socket_count];
            resolver->writing[i] = resolver->writing[resolver->socket_count];
        }
    } else if (i < SOCKETS_MAX) {
        resolver->sockets[i] = fd;
        resolver->writing[i] = writable;
        resolver->socket_count += i == resolver->socket_count;
    }
}

/* A copy, as a list of one. NULL: no memory. */
static struct addrinfo *
copy_address(const struct sockaddr *from, socklen_t len)
{
    struct address *address = calloc(1, sizeof(*address));

    if (address == NULL) {
        return NULL;
    }
    memcpy(&address->storage, from, len);
    address->info.ai_family = from->sa_family;
    address->info.ai_socktype = SOCK_STREAM;
    address->info.ai_addr = (struct sockaddr *)&address->storage;
    address->info.ai_addrlen = len;
    return &address->info;
}

/* An ares_addrinfo_callback. */
static void
on_found(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct resolver *resolver = context;
    struct addrinfo **last = &resolver->found;

    (void)timeouts;
    resolver->pending = false;
    resolver->code = status;
    if (found == NULL) {
        return;
    }
    for (const struct ares_addrinfo_node *node = found->nodes;
         node != NULL &&
         (*last = copy_address(node->ai_addr, node->ai_addrlen)) != NULL;
         node = node->ai_next) {
        last = &(*last)->ai_next;
    }
    ares_freeaddrinfo(found);
}

/* Makes the channel of one look-up. An error of c-ares. */
static int
open_channel(struct resolver *resolver)
{
    struct ares_options options = {
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .lookups = (char[]){"fb"}, /* files, then DNS */
        .sock_state_cb = on_socket,
        .sock_state_cb_data = resolver,
    };
    int code = ares_library_init(ARES_LIB_INIT_ALL);

    if (code != ARES_SUCCESS) {
        return code;
    }
    code = ares_init_options(&resolver->channel, &options,
                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                 ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (code != ARES_SUCCESS) {
        resolver->channel = NULL;
        ares_library_cleanup();
    }
    return code;
}

/*
 * True if the host is a number, and its address is found. c-ares 1.18 asks name
 * servers for numbers, too.
 */
static bool
take_number(struct resolver *resolver)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *number;

    if (getaddrinfo(resolver->host, resolver->port, &hints, &number) != 0) {
        return false;
    }
    resolver->found = copy_address(number->ai_addr, number->ai_addrlen);
    resolver->code = resolver->found == NULL ? ARES_ENOMEM : ARES_SUCCESS;
    freeaddrinfo(number);
    return true;
}

void
resolver_start(struct resolver *resolver)
{
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV,
                                        .ai_family = AF_UNSPEC,
                                        .ai_socktype = SOCK_STREAM};

    if (resolver->pending) {
        return;
    }
    clear(resolver);
    if (take_number(resolver)) {
        return;
    }
    resolver->code = open_channel(resolver);
    if (resolver->channel != NULL) {
        resolver->pending = true;
        ares_getaddrinfo(resolver->channel, resolver->host, resolver->port,
                         &hints, on_found, resolver);
    }
}

/* Reads what has come, and looks at the time limits. Does not block. */
static void
step(struct resolver *resolver)
{
    int sockets[SOCKETS_MAX];
    int count = resolver->socket_count;

    /* The list changes meanwhile. A socket that is closed, c-ares ignores. */
    memcpy(sockets, resolver->sockets, sizeof(sockets));
    for (int i = 0; i < count; i++) {
        ares_process_fd(resolver->channel, sockets[i],
                        resolver->writing[i] ? sockets[i] : ARES_SOCKET_BAD);
    }
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

enum resolver_state
resolver_result(struct resolver *resolver, const struct addrinfo **found)
{
    if (resolver->pending) {
        step(resolver);
    }
    if (resolver->pending) {
        return RESOLVER_PENDING;
    }
    *found = resolver->found;
    return resolver->code == ARES_SUCCESS && *found != NULL ? RESOLVER_DONE
                                                            : RESOLVER_FAILED;
}

const char *
resolver_error(const struct resolver *resolver)
{
    return ares_strerror(resolver->code);
}
