/*
 * redis_url: reads redis.url. libcurl's URL parser splits it, which handles
 * brackets and odd spellings. What libcurl accepts and nobody would use is
 * refused: a part without a meaning is a mistake. The address of a unix socket
 * has no host, but libcurl wants one; it is given a stand-in to split the
 * login.
 */
#include "redis_url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/decimal.h"
#include "base/host_name.h"
#include "base/util.h"
#include "redis.h"

#define UNIX "unix://"
#define TCP "redis://"
#define UNIX_FORM "unix://[[user]:password@]/path[?db=number]"
#define TCP_FORM "redis://[[user]:password@]host[:port][/database]"
#define ENCODED                                                                \
    "in a user or a password, / ? # @ : % are %2F %3F %23 %40 %3A %25"

static const char no_memory[] = "no memory";
static const char bad_host[] =
    "the host is neither a name nor an address; " ENCODED;

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

/* Sets *part to text without its percent-encoding. */
static const char *
decode(const char *text, char **part)
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

/* Sets *part to a part, decoded; NULL if there is none. */
static const char *
take_part(CURLU *parsed, CURLUPart which, char **part)
{
    char *text = NULL;
    const char *problem = NULL;

    if (curl_url_get(parsed, which, &text, 0) == CURLUE_OK) {
        problem = decode(text, part);
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

/* Reads what is before the @. A user without a name is Redis's user "default".
 */
static const char *
read_login(CURLU *parsed, struct redis_url *url)
{
    const char *problem = take_part(parsed, CURLUPART_USER, &url->user);

    if (problem == NULL) {
        problem = take_part(parsed, CURLUPART_PASSWORD, &url->password);
    }
    if (problem == NULL && !is_login(url)) {
        problem = "there is no password before the @: write :password@ or "
                  "user:password@; " ENCODED;
    }
    if (problem == NULL && url->user != NULL && url->user[0] == '\0') {
        free(url->user);
        url->user = NULL;
    }
    return problem;
}

/* Leading zeros are left out, because Redis's SELECT refuses them. */
static const char *
read_database(const char *text, struct redis_url *url)
{
    char decimal[16];
    int64_t database;

    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0' ||
        !decimal_parse(text, strlen(text), &database) || database > INT_MAX) {
        return "the database is not a whole number from 0 on: " TCP_FORM
               " or " UNIX_FORM;
    }
    snprintf(decimal, sizeof(decimal), "%d", (int)database);
    url->database = strdup(decimal);
    return url->database == NULL ? no_memory : NULL;
}

/* Splits text. *problem is NULL if that succeeded. Free with curl_url_cleanup
   in any case. */
static CURLU *
split(const char *text, const char **problem)
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
        *problem = "it names no host: " TCP_FORM;
        break;
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
        *problem = bad_host;
        break;
    case CURLUE_BAD_PORT_NUMBER:
        *problem =
            "the port is not a number from 1 to 65535: " TCP_FORM "; " ENCODED;
        break;
    default:
        *problem = "it is neither " TCP_FORM " nor " UNIX_FORM "; " ENCODED;
        break;
    }
    return parsed;
}

/* Reads login, which ends with @, of a unix socket's address. */
static const char *
read_unix_login(const char *login, size_t len, struct redis_url *url)
{
    size_t size = len + sizeof(UNIX "socket");
    char *text = malloc(size);
    const char *problem = no_memory;
    CURLU *parsed;

    if (text == NULL) {
        return no_memory;
    }
    snprintf(text, size, UNIX "%.*ssocket", (int)len, login);
    parsed = split(text, &problem);
    if (problem == NULL) {
        problem = read_login(parsed, url);
    }
    curl_url_cleanup(parsed);
    free(text);
    return problem;
}

static const char *
read_path(const char *path, size_t len, struct redis_url *url)
{
    struct sockaddr_un address;
    char *text = strndup(path, len);
    const char *problem = text == NULL ? no_memory : decode(text, &url->path);

    free(text);
    if (problem == NULL && strlen(url->path) >= sizeof(address.sun_path)) {
        problem = "the path of a unix socket has at most 107 bytes";
    }
    return problem;
}

/* Reads what follows unix://. */
static const char *
read_unix(const char *text, struct redis_url *url)
{
    const char *path = text + strcspn(text, "/?");
    const char *query = path + strcspn(path, "?");
    const char *problem;

    if (path[0] != '/' || (path > text && path[-1] != '@')) {
        return "a unix socket needs its whole path: " UNIX_FORM "; " ENCODED;
    }
    problem = read_path(path, (size_t)(query - path), url);
    if (problem == NULL && path > text) {
        problem = read_unix_login(text, (size_t)(path - text), url);
    }
    if (problem != NULL || query[0] == '\0') {
        return problem;
    }
    if (!starts_with(query, "?db=")) {
        return "after the path only ?db=number has a meaning; a ? in the path "
               "or the password is %3F";
    }
    return read_database(query + strlen("?db="), url);
}

static const char *
read_host(CURLU *parsed, struct redis_url *url)
{
    char *zone = NULL;
    char *host = NULL;
    const char *problem = no_memory;

    if (curl_url_get(parsed, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
        problem = "an IPv6 address with a zone id can't be used";
    } else if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        size_t len = strlen(host);
        bool bracketed = host[0] == '[';

        url->host = bracketed ? strndup(host + 1, len - 2) : strdup(host);
        problem = url->host == NULL                            ? no_memory
                  : bracketed || host_name_is_valid(host, len) ? NULL
                                                               : bad_host;
    }
    curl_free(zone);
    curl_free(host);
    return problem;
}

static const char *
read_port(CURLU *parsed, struct redis_url *url)
{
    const char *problem = take_part(parsed, CURLUPART_PORT, &url->port);

    if (problem == NULL && url->port == NULL) {
        url->port = strdup("6379");
        problem = url->port == NULL ? no_memory : NULL;
    }
    if (problem == NULL && strcmp(url->port, "0") == 0) {
        problem = "the port is none: 1 to 65535";
    }
    return problem;
}

/* Reads what follows the host. */
static const char *
read_tcp_database(CURLU *parsed, struct redis_url *url)
{
    char *path = NULL;
    const char *problem = take_part(parsed, CURLUPART_PATH, &path);

    if (problem == NULL && path != NULL && path[0] == '/' && path[1] != '\0') {
        problem = read_database(path + 1, url);
    }
    free(path);
    return problem;
}

/* Reads a redis:// URL as a whole. */
static const char *
read_tcp(const char *text, struct redis_url *url)
{
    const char *authority = text + strlen(TCP);
    size_t authority_len = strcspn(authority, "/");
    const char *problem;
    CURLU *parsed;

    if (strchr(text, '?') != NULL) {
        return "after a ? nothing has a meaning here; the database follows the "
               "host: " TCP_FORM "; a ? in a password is %3F";
    }
    if (authority_len == 0) { /* libcurl would skip a third slash */
        return "it names no host: " TCP_FORM;
    }
    parsed = split(text, &problem);
    if (problem == NULL) {
        problem = read_host(parsed, url);
    }
    if (problem == NULL) {
        problem = read_port(parsed, url);
    }
    if (problem == NULL && memchr(authority, '@', authority_len) != NULL) {
        problem = read_login(parsed, url);
    }
    if (problem == NULL) {
        problem = read_tcp_database(parsed, url);
    }
    curl_url_cleanup(parsed);
    return problem;
}

const char *
redis_url_parse(const char *text, struct redis_url *url)
{
    memset(url, 0, sizeof(*url));
    if (starts_with(text, "rediss://")) {
        return "this version cannot use TLS to Redis yet; use " UNIX_FORM
               " or " TCP_FORM;
    }
    if (starts_with(text, "redis+sentinel://") ||
        starts_with(text, "redis+cluster://")) {
        return "this version cannot use Redis Sentinel or Cluster yet; use "
               "unix:///path or redis://host:port";
    }
    if (strchr(text, '#') != NULL) {
        return "a # and what follows it have no meaning here; a # in a "
               "password or a path is %23";
    }
    if (starts_with(text, UNIX)) {
        return read_unix(text + strlen(UNIX), url);
    }
    if (starts_with(text, TCP)) {
        return read_tcp(text, url);
    }
    return "it is neither " UNIX_FORM " nor " TCP_FORM;
}

const char *
redis_url_problem(const char *text)
{
    struct redis_url url;
    const char *problem = redis_url_parse(text, &url);

    redis_url_fini(&url);
    return problem;
}

bool
redis_url_print(FILE *out, const char *text, const char *part)
{
    struct redis_url url;
    const struct {
        const char *name;
        char *const *value;
    } parts[] = {
        {"socket", &url.path},       {"host", &url.host},
        {"port", &url.port},         {"user", &url.user},
        {"password", &url.password}, {"database", &url.database},
    };
    bool found = false;

    redis_url_parse(text, &url);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !found; i++) {
        found = strcmp(parts[i].name, part) == 0;
        if (found && *parts[i].value != NULL) {
            fputs(*parts[i].value, out);
        }
    }
    redis_url_fini(&url);
    return found;
}

struct redis_login
redis_login_of(const char *text)
{
    struct redis_url url;
    struct redis_login login = {0};

    if (redis_url_parse(text, &url) == NULL) {
        login.has_user = url.user != NULL;
        login.has_password = url.password != NULL;
    }
    redis_url_fini(&url);
    return login;
}

void
redis_url_fini(struct redis_url *url)
{
    free(url->path);
    free(url->host);
    free(url->port);
    free(url->user);
    free(url->password);
    free(url->database);
    memset(url, 0, sizeof(*url));
}
