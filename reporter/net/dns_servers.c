/*
 * dns_servers: c-ares 1.18 takes port 99999 for 34463 and refuses blanks, so
 * the list is read here and written anew.
 */
#include "dns_servers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/util.h"

#define SEPARATORS ", \t"

enum {
    DEFAULT_PORT = 53,
    ENTRY_SHOWN = IP_BLOCK_TEXT_SIZE, /* how much of a bad entry is shown */
    /* An address, and around it a comma, brackets, a colon and a port. */
    SERVER_SIZE = IP_ADDRESS_TEXT_SIZE + sizeof(",[]:65535"),
};

/*
 * Splits an entry at the colon before its port. Returns the host, without
 * brackets; *port is NULL if there is no port. NULL: a bracket is wrong.
 */
static char *
split(char *entry, char **port)
{
    char *colon = strchr(entry, ':');

    *port = NULL;
    if (entry[0] == '[') {
        char *bracket = strchr(++entry, ']');

        if (bracket == NULL || (bracket[1] != '\0' && bracket[1] != ':')) {
            return NULL;
        }
        *bracket = '\0';
        *port = bracket[1] == ':' ? bracket + 2 : NULL;
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
        *port = colon + 1;
    }
    return entry;
}

static bool
read_port(const char *text, int64_t *port)
{
    *port = DEFAULT_PORT;
    return text == NULL ||
           (text[0] != '+' && decimal_parse(text, strlen(text), port) &&
            *port >= 1 && *port <= UINT16_MAX);
}

/* Appends the server of an entry, which it changes, to list. False: bad. */
static bool
append(char *entry, char *list)
{
    char shown[IP_ADDRESS_TEXT_SIZE];
    struct ip_block block;
    char *port_text;
    char *host = split(entry, &port_text);
    int64_t port;

    if (host == NULL || ip_block_parse(host, strlen(host), &block) != NULL ||
        strchr(host, '/') != NULL || !read_port(port_text, &port)) {
        return false;
    }
    ip_address_format(&block.first, shown);
    snprintf(list + strlen(list), SERVER_SIZE,
             block.first.family == AF_INET6 ? "%s[%s]:%d" : "%s%s:%d",
             list[0] == '\0' ? "" : ",", shown, (int)port);
    return true;
}

char *
dns_servers_parse(const char *text, char why[DNS_SERVERS_WHY_SIZE])
{
    /* Each entry has at least two bytes and, except the last, a separator. */
    char *list = calloc(strlen(text) / 2 + 1, SERVER_SIZE);
    char *copy = strdup(text);
    char *rest = copy;
    char *entry;

    snprintf(why, DNS_SERVERS_WHY_SIZE, "no memory");
    while (list != NULL && (entry = strsep(&rest, SEPARATORS)) != NULL) {
        const char *shown = text + (entry - copy);

        if (entry[0] != '\0' && !append(entry, list)) {
            snprintf(why, DNS_SERVERS_WHY_SIZE,
                     "\"%.*s\" is no address with or without a port",
                     (int)size_min(strcspn(shown, SEPARATORS), ENTRY_SHOWN),
                     shown);
            free(list);
            list = NULL;
            errno = EINVAL;
        }
    }
    free(copy);
    return list;
}
