/*
 * redis_url: reads redis.url. TCP addresses are read by libcurl's URL parser,
 * which handles brackets, percent-encoding and odd spellings.
 */
#include "redis_url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/decimal.h"
#include "base/util.h"
#include "redis.h"

static const char *
read_socket(const char *path, struct redis_url *url)
{
    struct sockaddr_un address;

    if (path[0] != '/') {
        return "a unix socket needs its whole path: unix:///path";
    }
    if (strlen(path) >= sizeof(address.sun_path)) {
        return "the path of a unix socket has at most 107 bytes";
    }
    url->path = strdup(path);
    return url->path == NULL ? "no memory" : NULL;
}

/* One percent-decoded part, malloc'd; NULL if it is empty. */
static char *
copy_part(CURLU *parsed, CURLUPart which)
{
    char *text = NULL;
    char *copy = NULL;

    if (curl_url_get(parsed, which, &text, CURLU_URLDECODE) == CURLUE_OK &&
        text[0] != '\0') {
        copy = strdup(text);
    }
    curl_free(text);
    return copy;
}

/* Removes the brackets around an IPv6 address. */
static void
remove_brackets(char *host)
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
}

static const char *
read_database(CURLU *parsed, struct redis_url *url)
{
    char *path = copy_part(parsed, CURLUPART_PATH);
    const char *problem = NULL;
    int64_t database;

    if (path == NULL || strcmp(path, "/") == 0) {
        free(path);
        return NULL;
    }
    if (!decimal_parse(path + 1, strlen(path + 1), &database) || database < 0) {
        problem = "the database after the host is not a number";
    } else {
        url->database = strdup(path + 1);
    }
    free(path);
    return problem;
}

static const char *
read_tcp(CURLU *parsed, struct redis_url *url)
{
    url->host = copy_part(parsed, CURLUPART_HOST);
    url->port = copy_part(parsed, CURLUPART_PORT);
    url->user = copy_part(parsed, CURLUPART_USER);
    url->password = copy_part(parsed, CURLUPART_PASSWORD);
    if (url->port == NULL) {
        url->port = strdup("6379");
    }
    if (url->host == NULL || url->port == NULL) {
        return "it names no host";
    }
    if (strcmp(url->port, "0") == 0) {
        return "the port is none: 1 to 65535";
    }
    remove_brackets(url->host);
    return read_database(parsed, url);
}

const char *
redis_url_parse(const char *text, struct redis_url *url)
{
    const char *problem;
    CURLU *parsed;

    memset(url, 0, sizeof(*url));
    if (starts_with(text, "unix://")) {
        return read_socket(text + strlen("unix://"), url);
    }
    if (starts_with(text, "redis+sentinel://") ||
        starts_with(text, "redis+cluster://")) {
        return "this version cannot use Redis Sentinel or Cluster yet; use "
               "unix:///path or redis://host:port";
    }
    if (!starts_with(text, "redis://")) {
        return "it is neither unix:///path nor "
               "redis://[user:password@]host[:port][/database]";
    }
    parsed = curl_url();
    if (parsed == NULL) {
        return "no memory";
    }
    if (curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) !=
        CURLUE_OK) {
        problem = "it is not redis://[user:password@]host[:port][/database]";
    } else {
        problem = read_tcp(parsed, url);
    }
    curl_url_cleanup(parsed);
    return problem;
}

const char *
redis_url_problem(const char *text)
{
    struct redis_url url;
    const char *problem = redis_url_parse(text, &url);

    redis_url_fini(&url);
    return problem;
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
