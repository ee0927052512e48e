/*
 * server_address: a name can't be looked up, and a line of the log may not be
 * written, before it is known that the bytes are a name.
 */
#include "server_address.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host_name.h"

enum { PORT_MOST = 65535 };

bool
server_address_set(struct server_address *address, const char *host,
                   size_t host_len, int64_t port)
{
    char text[sizeof(address->host)];
    struct in6_addr binary;

    if (host_len >= sizeof(text) || memchr(host, '\0', host_len) != NULL ||
        port <= 0 || port > PORT_MOST) {
        return false;
    }
    snprintf(text, sizeof(text), "%.*s", (int)host_len, host);
    if (!host_name_is_valid(text, host_len) &&
        inet_pton(AF_INET6, text, &binary) != 1) {
        return false;
    }
    memcpy(address->host, text, sizeof(text));
    snprintf(address->port, sizeof(address->port), "%" PRId64, port);
    return true;
}

bool
server_address_equals(const struct server_address *address, const char *host,
                      const char *port)
{
    return strcmp(address->host, host) == 0 && strcmp(address->port, port) == 0;
}
