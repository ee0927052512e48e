/*
 * origin: cuts the URL where RFC 3986, 3 says. A URL has been judged by
 * libcurl's parser long before; to ask it again for each job would cost more
 * than all the rest of choosing a destination.
 */
#include "origin.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"

/* A part of a URL, borrowed from it. */
struct part {
    const char *text;
    size_t len;
};

/* Cuts the port off authority; 0 where it has none, or an empty one. */
static int64_t
cut_port(struct part *authority)
{
    size_t start = authority->len;
    int64_t port = 0;

    while (start > 0 && isdigit((unsigned char)authority->text[start - 1])) {
        start--;
    }
    /* Digits without a colon before them are the end of a host's name. */
    if (start > 0 && authority->text[start - 1] == ':') {
        decimal_parse(authority->text + start, authority->len - start, &port);
        authority->len = start - 1;
    }
    return port;
}

void
origin_read(const char *url, char origin[ORIGIN_SIZE])
{
    const char *mark = strstr(url, "://");
    struct part scheme = {url, mark == NULL ? 0 : (size_t)(mark - url)};
    struct part authority = {mark == NULL ? url : mark + 3, 0};
    int64_t port;

    authority.len = strcspn(authority.text, "/?#");
    port = cut_port(&authority);
    if (port == 0) {
        port = scheme.len == 5 && strncasecmp(scheme.text, "https", 5) == 0
                   ? 443
                   : 80;
    }
    snprintf(origin, ORIGIN_SIZE, "%.*s://%.*s:%" PRId64, (int)scheme.len,
             scheme.text, (int)authority.len, authority.text, port);
    for (char *c = origin; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}
