/*
 * listen_address: the last colon is in front of the port.
 */
#include "listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include "decimal.h"

enum { PORT_MAX = 65535 };

static const char wrong_form[] =
    "it is <address>:<port>, such as 127.0.0.1:9464 or [::1]:9464, the "
    "absolute path of a unix socket, or none";

static const char *
parse_path(const char *text, struct listen_address *to)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&to->address;
    size_t size = strlen(text) + 1;

    if (size > sizeof(address->sun_path)) {
        return "the path of a unix socket has at most 107 bytes";
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, text, size);
    to->len = sizeof(*address);
    return NULL;
}

/* Writes the address in front of the port: host[0..len). */
static bool
parse_host(const char *host, size_t len, uint16_t port,
           struct listen_address *to)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&to->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&to->address;
    char text[INET6_ADDRSTRLEN];
    bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';

    if (brackets) {
        host++;
        len -= 2;
    }
    if (len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    if (brackets) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        to->len = sizeof(*six);
        return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    to->len = sizeof(*four);
    return inet_pton(AF_INET, text, &four->sin_addr) == 1;
}

const char *
listen_address_parse(const char *text, struct listen_address *address)
{
    const char *colon = strrchr(text, ':');
    int64_t port;

    *address = (struct listen_address){0};
    if (strcmp(text, "none") == 0) {
        return NULL;
    }
    if (text[0] == '/') {
        return parse_path(text, address);
    }
    if (colon == NULL || strspn(colon + 1, "0123456789") == 0 ||
        !decimal_parse(colon + 1, strlen(colon + 1), &port)) {
        return wrong_form;
    }
    if (port < 1 || port > PORT_MAX) {
        return "a port is a number from 1 to 65535";
    }
    return parse_host(text, (size_t)(colon - text), (uint16_t)port, address)
               ? NULL
               : wrong_form;
}

const char *
listen_address_problem(const char *text)
{
    struct listen_address address;

    return listen_address_parse(text, &address);
}
