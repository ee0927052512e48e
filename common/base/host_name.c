/*
 * host_name: one pass over the bytes, because each request with an endpoint is
 * checked.
 */
#include "host_name.h"

#include <arpa/inet.h>
#include <string.h>

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

static bool
is_address(const char *host, size_t len)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1;
}

bool
host_name_is_valid(const char *host, size_t len)
{
    size_t name_len = len > 1 && host[len - 1] == '.' ? len - 1 : len;
    size_t label_len = 0;
    bool numeric = true;

    if (name_len > NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name_len; i++) {
        char c = host[i];
        bool digit = c >= '0' && c <= '9';

        if (c == '.' && label_len > 0) {
            label_len = 0;
        } else if (digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   c == '-' || c == '_') {
            numeric = numeric && digit;
            label_len++;
        } else {
            return false;
        }
        if (label_len > LABEL_MAX_BYTES) {
            return false;
        }
    }
    return label_len > 0 && (!numeric || is_address(host, len));
}
