/*
 * address: out of a sockaddr, and into text.
 */
#include "ip_address.h"

#include <arpa/inet.h>
#include <string.h>

int
ip_address_read(const struct sockaddr *from, struct ip_address *address,
                uint16_t *port)
{
    memset(address, 0, sizeof(*address));
    address->family = from->sa_family;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        memcpy(address->bytes, &in->sin_addr, sizeof(in->sin_addr));
        *port = ntohs(in->sin_port);
        return 0;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

        memcpy(address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
        *port = ntohs(in6->sin6_port);
        return 0;
    }
    return -1;
}

bool
ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void
ip_address_format(const struct ip_address *address,
                  char text[IP_ADDRESS_TEXT_SIZE])
{
    if (inet_ntop(address->family, address->bytes, text,
                  IP_ADDRESS_TEXT_SIZE) == NULL) {
        text[0] = '\0';
    }
}
