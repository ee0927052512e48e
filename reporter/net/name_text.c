/*
 * name_text: names and addresses as text.
 */
#include "name_text.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "ip_address.h"

/* Two brackets and a comma about each address, and a NUL. */
enum { LIST_SIZE = NAME_ADDRESSES_MAX * (IP_ADDRESS_TEXT_SIZE + 3) + 1 };

int
name_lower(const char *host, char text[NAME_TEXT_SIZE])
{
    size_t len = strlen(host);

    if (len >= NAME_TEXT_SIZE) {
        return -1;
    }
    for (size_t i = 0; i <= len; i++) {
        text[i] = (char)tolower((unsigned char)host[i]);
    }
    return 0;
}

char *
name_addresses(const struct addrinfo *found)
{
    char list[LIST_SIZE];
    size_t len = 0;

    for (int count = 0; found != NULL && count < NAME_ADDRESSES_MAX;
         found = found->ai_next) {
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address address;
        uint16_t port;

        if (ip_address_read(found->ai_addr, &address, &port) == 0) {
            const char *comma = count > 0 ? "," : "";

            ip_address_format(&address, text);
            len += (size_t)snprintf(
                list + len, sizeof(list) - len,
                address.family == AF_INET6 ? "%s[%s]" : "%s%s", comma, text);
            count++;
        }
    }
    return len > 0 ? strdup(list) : NULL;
}
