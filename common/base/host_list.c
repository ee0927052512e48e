/*
 * host_list: patterns are kept in a canonical form, one after another, each
 * with a NUL at its end. A pattern for the names below a name is kept with its
 * dot and without the star: ".b.example".
 */
#include "host_list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_name.h"

#define SEPARATORS ", \t"

struct host_list {
    size_t len;  /* of text, with the NULs */
    char text[]; /* the canonical patterns */
};

/*
 * Writes the canonical form of host[0..len). False if it is too long, or in
 * brackets and no address.
 */
static bool
canonical(const char *host, size_t len, char to[HOST_LIST_NAME_SIZE])
{
    struct in6_addr address;
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';

    if (bracketed) {
        host++;
        len -= 2;
    } else if (len > 1 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len >= HOST_LIST_NAME_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        to[i] = (char)tolower((unsigned char)host[i]);
    }
    to[len] = '\0';
    if (inet_pton(AF_INET6, to, &address) == 1) {
        return inet_ntop(AF_INET6, &address, to, HOST_LIST_NAME_SIZE) != NULL;
    }
    return !bracketed;
}

/* True if the last label is a number: such a host is an IPv4 address (WHATWG
   URL, 3.5), and libcurl writes it as four numbers. */
static bool
ends_in_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *label = dot == NULL ? name : dot + 1;

    return label[strspn(label, "0123456789")] == '\0' ||
           strncmp(label, "0x", 2) == 0;
}

static bool
is_name_or_address(const char *name)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET6, name, &six) == 1 ||
        inet_pton(AF_INET, name, &four) == 1) {
        return true;
    }
    return host_name_is_valid(name, strlen(name)) && !ends_in_number(name);
}

/* Writes the canonical form of a pattern. False if it is none. */
static bool
read_pattern(const char *pattern, size_t len, char to[HOST_LIST_NAME_SIZE])
{
    if (len > 2 && pattern[0] == '*' && pattern[1] == '.') {
        return canonical(pattern + 1, len - 1, to) &&
               is_name_or_address(to + 1) && strchr(to, ':') == NULL;
    }
    return canonical(pattern, len, to) && is_name_or_address(to);
}

const char *
host_list_problem(const char *text)
{
    char pattern[HOST_LIST_NAME_SIZE];

    text += strspn(text, SEPARATORS);
    while (*text != '\0') {
        size_t len = strcspn(text, SEPARATORS);

        if (!read_pattern(text, len, pattern)) {
            return "a pattern is a host name, \"*.\" and a host name, or an "
                   "address, without a port";
        }
        text += len;
        text += strspn(text, SEPARATORS);
    }
    return NULL;
}

struct host_list *
host_list_open(const char *text)
{
    size_t room = strlen(text) + 1;
    struct host_list *list;
    char pattern[HOST_LIST_NAME_SIZE];

    for (const char *c = text; *c != '\0'; c++) {
        /* The canonical form of an IPv6 address may be longer than its text:
           "::1:2:3:4:5:6:7" has a 0 in place of "::". */
        room += *c == ':';
    }
    list = calloc(1, sizeof(*list) + room);
    if (list == NULL) {
        return NULL;
    }
    text += strspn(text, SEPARATORS);
    while (*text != '\0') {
        size_t len = strcspn(text, SEPARATORS);

        if (read_pattern(text, len, pattern)) {
            size_t size = strlen(pattern) + 1;

            memcpy(list->text + list->len, pattern, size);
            list->len += size;
        }
        text += len;
        text += strspn(text, SEPARATORS);
    }
    return list;
}

void
host_list_close(struct host_list *list)
{
    free(list);
}

bool
host_list_is_empty(const struct host_list *list)
{
    return list->len == 0;
}

/* pattern and host are canonical. */
static bool
matches(const char *pattern, const char *host, size_t host_len)
{
    size_t len = strlen(pattern);

    if (pattern[0] != '.') {
        return strcmp(pattern, host) == 0;
    }
    return host_len > len && strcmp(host + host_len - len, pattern) == 0;
}

bool
host_list_has(const struct host_list *list, const char *host)
{
    char name[HOST_LIST_NAME_SIZE];
    size_t host_len;

    if (list->len == 0 || !canonical(host, strlen(host), name)) {
        return false;
    }
    host_len = strlen(name);
    for (size_t at = 0; at < list->len; at += strlen(list->text + at) + 1) {
        if (matches(list->text + at, name, host_len)) {
            return true;
        }
    }
    return false;
}
