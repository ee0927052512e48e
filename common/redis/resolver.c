/*
 * resolver: getaddrinfo_a(3), asked for its state from time to time.
 */
#define _GNU_SOURCE /* getaddrinfo_a */
#include "resolver.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct resolver {
    char *host;
    char *port;
    struct addrinfo hints;
    struct gaicb request;
    bool started; /* request is with the C library, or was */
    int code;     /* EAI_...: the last result */
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
    resolver->hints.ai_socktype = SOCK_STREAM;
    resolver->request.ar_name = resolver->host;
    resolver->request.ar_service = resolver->port;
    resolver->request.ar_request = &resolver->hints;
    return resolver;
}

static void
free_result(struct resolver *resolver)
{
    if (resolver->request.ar_result != NULL) {
        freeaddrinfo(resolver->request.ar_result);
        resolver->request.ar_result = NULL;
    }
}

void
resolver_close(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    if (resolver->started && gai_error(&resolver->request) == EAI_INPROGRESS &&
        gai_cancel(&resolver->request) == EAI_NOTCANCELED) {
        return;
    }
    free_result(resolver);
    free(resolver->host);
    free(resolver->port);
    free(resolver);
}

void
resolver_start(struct resolver *resolver)
{
    struct gaicb *list[] = {&resolver->request};

    if (resolver->started && gai_error(&resolver->request) == EAI_INPROGRESS) {
        return;
    }
    free_result(resolver);
    resolver->code = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    resolver->started = resolver->code == 0;
}

enum resolver_state
resolver_result(struct resolver *resolver, const struct addrinfo **found)
{
    if (resolver->started) {
        resolver->code = gai_error(&resolver->request);
    }
    if (resolver->code == EAI_INPROGRESS) {
        return RESOLVER_PENDING;
    }
    *found = resolver->request.ar_result;
    return resolver->code == 0 && *found != NULL ? RESOLVER_DONE
                                                 : RESOLVER_FAILED;
}

const char *
resolver_error(const struct resolver *resolver)
{
    return gai_strerror(resolver->code);
}
