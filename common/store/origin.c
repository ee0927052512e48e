/*
 * origin: splits the URL as in RFC 3986, 3. libcurl's parser has checked the
 * URL before it was queued; parsing it again there for each job would cost more
 * than all else in the choice of a destination.
 */
#define _GNU_SOURCE /* memmem */
#include "origin.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"

/* A part of a URL, borrowed from it. */
struct part {
    const char *text;
    size_t len;
};

/* Cuts the port off authority. 0 if there is no port, or an empty one. */
static int64_t
cut_port(struct part *authority)
{
    size_t start = authority->len;
    int64_t port = 0;

    while (start > 0 && isdigit((unsigned char)authority->text[start - 1])) {
        start--;
    }
    /* Digits without a colon before them are the end of the host. */
    if (start > 0 && authority->text[start - 1] == ':') {
        decimal_parse(authority->text + start, authority->len - start, &port);
        authority->len = start - 1;
    }
    return port;
}

/* The length of the authority, which ends before one of "/?#". */
static size_t
authority_length(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && text[n] != '/' && text[n] != '?' && text[n] != '#') {
        n++;
    }
    return n;
}

void
origin_read(const char *url, size_t len, char origin[ORIGIN_SIZE])
{
    const char *mark = memmem(url, len, "://", strlen("://"));
    struct part scheme = {url, mark == NULL ? 0 : (size_t)(mark - url)};
    struct part authority = {mark == NULL ? url : mark + 3, 0};
    int64_t port;

    authority.len =
        authority_length(authority.text, (size_t)(url + len - authority.text));
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

int
origin_hash(const char *origin, char hash[ORIGIN_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];

    if (EVP_Digest(origin, strlen(origin), bytes, NULL, EVP_sha1(), NULL) !=
        1) {
        return -1;
    }
    for (size_t i = 0; i < (ORIGIN_HASH_SIZE - 1) / 2; i++) {
        hash[2 * i] = digits[bytes[i] >> 4];
        hash[2 * i + 1] = digits[bytes[i] & 15];
    }
    hash[ORIGIN_HASH_SIZE - 1] = '\0';
    return 0;
}
