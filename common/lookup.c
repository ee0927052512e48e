/*
 * lookup: getaddrinfo_a(3) wrapped so that a name server that does not answer
 * costs its caller no waiting.
 */
#define _GNU_SOURCE /* getaddrinfo_a */
#include "lookup.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct lookup {
    char *host;
    char *port;
    struct addrinfo hints;
    struct gaicb request;
    bool started; /* since the last result was taken as final */
    int code;     /* of getaddrinfo(3): the last failure */
};

struct lookup *
lookup_open(const char *host, const char *port)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL) {
        return NULL;
    }
    lookup->host = strdup(host);
    lookup->port = strdup(port);
    if (lookup->host == NULL || lookup->port == NULL) {
        lookup_close(lookup);
        return NULL;
    }
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->request.ar_name = lookup->host;
    lookup->request.ar_service = lookup->port;
    lookup->request.ar_request = &lookup->hints;
    return lookup;
}

static void
drop_result(struct lookup *lookup)
{
    if (lookup->request.ar_result != NULL) {
        freeaddrinfo(lookup->request.ar_result);
        lookup->request.ar_result = NULL;
    }
}

void
lookup_close(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    if (lookup->started && gai_error(&lookup->request) == EAI_INPROGRESS &&
        gai_cancel(&lookup->request) == EAI_NOTCANCELED) {
        return;
    }
    drop_result(lookup);
    free(lookup->host);
    free(lookup->port);
    free(lookup);
}

void
lookup_start(struct lookup *lookup)
{
    struct gaicb *list[] = {&lookup->request};

    if (lookup->started && gai_error(&lookup->request) == EAI_INPROGRESS) {
        return;
    }
    drop_result(lookup);
    lookup->code = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    lookup->started = lookup->code == 0;
}

enum lookup_state
lookup_result(struct lookup *lookup, const struct addrinfo **found)
{
    if (lookup->started) {
        lookup->code = gai_error(&lookup->request);
    }
    if (lookup->code == EAI_INPROGRESS) {
        return LOOKUP_PENDING;
    }
    *found = lookup->request.ar_result;
    return lookup->code == 0 && *found != NULL ? LOOKUP_DONE : LOOKUP_FAILED;
}

const char *
lookup_error(const struct lookup *lookup)
{
    return gai_strerror(lookup->code);
}
