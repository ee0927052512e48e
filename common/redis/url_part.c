/*
 * url_part: libcurl's URL parser splits a url, which handles brackets and odd
 * spellings. What libcurl accepts and nobody would use is refused: a part
 * without a meaning is a mistake.
 */
#include "url_part.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/host_name.h"
#include "redis_url.h"

static const char no_memory[] = "no memory";
static const char bad_host[] =
    "the host is neither a name nor an address; " REDIS_URL_ENCODED;

/* True if each % is followed by two hexadecimal digits. */
static bool
escapes_are_whole(const char *text)
{
    while ((text = strchr(text, '%')) != NULL) {
        if (!isxdigit((unsigned char)text[1]) ||
            !isxdigit((unsigned char)text[2])) {
            return false;
        }
        text += 3;
    }
    return true;
}

const char *
url_part_decode(const char *text, char **part)
{
    char *decoded;
    int len;

    if (!escapes_are_whole(text)) {
        return "a % needs two hexadecimal digits; % itself is %25";
    }
    decoded = curl_easy_unescape(NULL, text, 0, &len);
    if (decoded == NULL) {
        return no_memory;
    }
    *part = strdup(decoded);
    curl_free(decoded);
    if (*part == NULL) {
        return no_memory;
    }
    return strlen(*part) == (size_t)len ? NULL
                                        : "a NUL byte (%00) is not allowed";
}

const char *
url_part_take(CURLU *parsed, CURLUPart which, char **part)
{
    char *text = NULL;
    const char *problem = NULL;

    if (curl_url_get(parsed, which, &text, 0) == CURLUE_OK) {
        problem = url_part_decode(text, part);
    }
    curl_free(text);
    return problem;
}

/* An empty password logs nobody in: its variable was empty, most likely. A user
   alone needs a password from elsewhere: see redis_options. */
static bool
is_login(const struct redis_url *url)
{
    return url->password != NULL ? url->password[0] != '\0'
                                 : url->user != NULL && url->user[0] != '\0';
}

const char *
url_part_login(CURLU *parsed, struct redis_url *url)
{
    const char *problem = url_part_take(parsed, CURLUPART_USER, &url->user);

    if (problem == NULL) {
        problem = url_part_take(parsed, CURLUPART_PASSWORD, &url->password);
    }
    if (problem == NULL && !is_login(url)) {
        problem = "there is no password before the @: write :password@ or "
                  "user:password@; " REDIS_URL_ENCODED;
    }
    if (problem == NULL && url->user != NULL && url->user[0] == '\0') {
        free(url->user);
        url->user = NULL;
    }
    return problem;
}

/* Leading zeros are left out, because Redis's SELECT refuses them. */
const char *
url_part_database(const char *text, struct redis_url *url)
{
    char decimal[16];
    int64_t database;

    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0' ||
        !decimal_parse(text, strlen(text), &database) || database > INT_MAX) {
        return "the database is not a whole number from 0 "
               "on: " REDIS_URL_TCP_FORM " or " REDIS_URL_UNIX_FORM;
    }
    snprintf(decimal, sizeof(decimal), "%d", (int)database);
    url->database = strdup(decimal);
    return url->database == NULL ? no_memory : NULL;
}

CURLU *
url_part_split(const char *text, const char **problem)
{
    CURLU *parsed = curl_url();

    if (parsed == NULL) {
        *problem = no_memory;
        return NULL;
    }
    switch (curl_url_set(parsed, CURLUPART_URL, text,
                         CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS)) {
    case CURLUE_OK:
        *problem = NULL;
        break;
    case CURLUE_OUT_OF_MEMORY:
        *problem = no_memory;
        break;
    case CURLUE_NO_HOST:
        *problem = "it names no host: " REDIS_URL_TCP_FORM;
        break;
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
        *problem = bad_host;
        break;
    case CURLUE_BAD_PORT_NUMBER:
        *problem =
            "the port is not a number from 1 to 65535: " REDIS_URL_TCP_FORM
            "; " REDIS_URL_ENCODED;
        break;
    default:
        *problem = "it is neither " REDIS_URL_TCP_FORM
                   " nor " REDIS_URL_UNIX_FORM "; " REDIS_URL_ENCODED;
        break;
    }
    return parsed;
}

const char *
url_part_host(CURLU *parsed, char **part)
{
    char *zone = NULL;
    char *host = NULL;
    const char *problem = no_memory;

    if (curl_url_get(parsed, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
        problem = "an IPv6 address with a zone id can't be used";
    } else if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        size_t len = strlen(host);
        bool bracketed = host[0] == '[';

        *part = bracketed ? strndup(host + 1, len - 2) : strdup(host);
        problem = *part == NULL                                ? no_memory
                  : bracketed || host_name_is_valid(host, len) ? NULL
                                                               : bad_host;
    }
    curl_free(zone);
    curl_free(host);
    return problem;
}

const char *
url_part_port(CURLU *parsed, const char *fallback, char **part)
{
    const char *problem = url_part_take(parsed, CURLUPART_PORT, part);

    if (problem == NULL && *part == NULL) {
        *part = strdup(fallback);
        problem = *part == NULL ? no_memory : NULL;
    }
    if (problem == NULL && strcmp(*part, "0") == 0) {
        problem = "the port is none: 1 to 65535";
    }
    return problem;
}
