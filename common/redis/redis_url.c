/*
 * redis_url: reads redis.url. The address of a unix socket has no host, but
 * libcurl wants one; it is given a stand-in to split the login. Likewise each
 * host of a list is split as a url of its own.
 */
#define _GNU_SOURCE /* memrchr */
#include "redis_url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/util.h"
#include "redis.h"
#include "url_part.h"

#define UNIX "unix://"
#define TCP "redis://"
#define TLS_START "rediss" /* of every scheme with TLS */
#define TLS_TCP "rediss://"
#define SENTINEL "redis+sentinel://"
#define TLS_SENTINEL "rediss+sentinel://"
#define CLUSTER "redis+cluster://"
#define TLS_CLUSTER "rediss+cluster://"
#define REDIS_PORT "6379"
#define SENTINEL_PORT "26379"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char no_memory[] = "no memory";

/* Reads login, which ends with @, and stands alone. */
static const char *
read_login(const char *login, size_t len, struct redis_url *url)
{
    size_t size = len + sizeof(UNIX "socket");
    char *text = malloc(size);
    const char *problem = no_memory;
    CURLU *parsed;

    if (text == NULL) {
        return no_memory;
    }
    snprintf(text, size, UNIX "%.*ssocket", (int)len, login);
    parsed = url_part_split(text, &problem);
    if (problem == NULL) {
        problem = url_part_login(parsed, url);
    }
    curl_url_cleanup(parsed);
    free(text);
    return problem;
}

/* Reads what follows a path: nothing, or ?db=number. */
static const char *
read_query(const char *query, struct redis_url *url)
{
    if (query[0] == '\0') {
        return NULL;
    }
    if (!starts_with(query, "?db=")) {
        return "after the path only ?db=number has a meaning; a ? in the path "
               "or the password is %3F";
    }
    return url_part_database(query + strlen("?db="), url);
}

static const char *
read_path(const char *path, size_t len, struct redis_url *url)
{
    struct sockaddr_un address;
    char *text = strndup(path, len);
    const char *problem =
        text == NULL ? no_memory : url_part_decode(text, &url->path);

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
        return "a unix socket needs its whole path: " REDIS_URL_UNIX_FORM
               "; " REDIS_URL_ENCODED;
    }
    problem = read_path(path, (size_t)(query - path), url);
    if (problem == NULL && path > text) {
        problem = read_login(text, (size_t)(path - text), url);
    }
    return problem == NULL ? read_query(query, url) : problem;
}

/* Reads what follows the host. */
static const char *
read_tcp_database(CURLU *parsed, struct redis_url *url)
{
    char *path = NULL;
    const char *problem = url_part_take(parsed, CURLUPART_PATH, &path);

    if (problem == NULL && path != NULL && path[0] == '/' && path[1] != '\0') {
        problem = url_part_database(path + 1, url);
    }
    free(path);
    return problem;
}

/* Reads a redis:// or rediss:// URL as a whole. */
static const char *
read_tcp(const char *text, struct redis_url *url)
{
    const char *authority = strstr(text, "://") + strlen("://");
    size_t authority_len = strcspn(authority, "/");
    const char *problem;
    CURLU *parsed;

    if (strchr(text, '?') != NULL) {
        return "after a ? nothing has a meaning here; the database follows the "
               "host: " REDIS_URL_TCP_FORM "; a ? in a password is %3F";
    }
    if (authority_len == 0) { /* libcurl would skip a third slash */
        return "it names no host: " REDIS_URL_TCP_FORM;
    }
    parsed = url_part_split(text, &problem);
    if (problem == NULL) {
        problem = url_part_host(parsed, &url->host);
    }
    if (problem == NULL) {
        problem = url_part_port(parsed, REDIS_PORT, &url->port);
    }
    if (problem == NULL && memchr(authority, '@', authority_len) != NULL) {
        problem = url_part_login(parsed, url);
    }
    if (problem == NULL) {
        problem = read_tcp_database(parsed, url);
    }
    curl_url_cleanup(parsed);
    return problem;
}

/* The hosts of a list: the port of those without, and what a wrong one is. */
struct host_kind {
    const char *port;
    const char *wrong;
};

static const struct host_kind sentinels = {
    SENTINEL_PORT, "a sentinel is not host[:port]: " REDIS_URL_SENTINEL_FORM
                   "; " REDIS_URL_ENCODED};
static const struct host_kind nodes = {
    REDIS_PORT, "a node is not host[:port]: " REDIS_URL_CLUSTER_FORM
                "; " REDIS_URL_ENCODED};

/* Reads one host of a list, host[:port]. */
static const char *
read_host(const char *text, size_t len, const struct host_kind *kind,
          struct redis_url *url)
{
    struct redis_host *host = &url->hosts[url->host_count];
    size_t size = len + sizeof(TCP);
    const char *problem = no_memory;
    char *alone;
    CURLU *parsed;

    if (url->host_count == REDIS_HOSTS_MAX) {
        return "it names more than 16 hosts";
    }
    if (len == 0) {
        return kind->wrong;
    }
    alone = malloc(size);
    if (alone == NULL) {
        return no_memory;
    }
    url->host_count++;
    snprintf(alone, size, TCP "%.*s", (int)len, text);
    parsed = url_part_split(alone, &problem);
    if (problem != NULL) {
        problem = kind->wrong;
    } else {
        problem = url_part_host(parsed, &host->host);
    }
    if (problem == NULL) {
        problem = url_part_port(parsed, kind->port, &host->port);
    }
    curl_url_cleanup(parsed);
    free(alone);
    return problem;
}

static const char *
read_hosts(const char *text, size_t len, const struct host_kind *kind,
           struct redis_url *url)
{
    const char *end = text + len;
    const char *problem = NULL;

    while (problem == NULL && text <= end) {
        size_t host_len = strcspn(text, ",");

        if (host_len > (size_t)(end - text)) {
            host_len = (size_t)(end - text);
        }
        problem = read_host(text, host_len, kind, url);
        text += host_len + 1;
    }
    return problem;
}

/* Reads a login, if there is one, and a list of hosts. */
static const char *
read_authority(const char *text, size_t len, const struct host_kind *kind,
               struct redis_url *url)
{
    const char *at = memrchr(text, '@', len);
    const char *hosts = at == NULL ? text : at + 1;
    const char *problem =
        at == NULL ? NULL : read_login(text, (size_t)(hosts - text), url);

    return problem == NULL
               ? read_hosts(hosts, len - (size_t)(hosts - text), kind, url)
               : problem;
}

/* The name of the master, as in Sentinel's configuration (sentinel.conf). */
static const char *
read_master(const char *path, size_t len, struct redis_url *url)
{
    if (len < strlen("/m")) {
        return "it names no master: " REDIS_URL_SENTINEL_FORM
               "; " REDIS_URL_ENCODED;
    }
    url->master = strndup(path + 1, len - 1);
    if (url->master == NULL) {
        return no_memory;
    }
    return strspn(url->master, LETTERS "0123456789.-_") == len - 1
               ? NULL
               : "the name of a master has only letters, digits and . - _";
}

/* Reads what follows the scheme of a url with sentinels. */
static const char *
read_by_sentinels(const char *text, struct redis_url *url)
{
    const char *path = text + strcspn(text, "/?");
    const char *query = path + strcspn(path, "?");
    const char *problem =
        read_authority(text, (size_t)(path - text), &sentinels, url);

    if (problem == NULL) {
        problem = read_master(path, (size_t)(query - path), url);
    }
    return problem == NULL ? read_query(query, url) : problem;
}

/* Reads what follows the scheme of a url of a cluster. */
static const char *
read_cluster(const char *text, struct redis_url *url)
{
    size_t len = strcspn(text, "/?");

    if (text[len] != '\0') {
        return "a cluster has no database: nothing follows the "
               "nodes: " REDIS_URL_CLUSTER_FORM "; " REDIS_URL_ENCODED;
    }
    url->cluster = true;
    return read_authority(text, len, &nodes, url);
}

const char *
redis_url_parse(const char *text, struct redis_url *url)
{
    memset(url, 0, sizeof(*url));
    if (strchr(text, '#') != NULL) {
        return "a # and what follows it have no meaning here; a # in a "
               "password or a path is %23";
    }
    if (starts_with(text, UNIX)) {
        return read_unix(text + strlen(UNIX), url);
    }
    url->tls = starts_with(text, TLS_START);
    if (starts_with(text, TCP) || starts_with(text, TLS_TCP)) {
        return read_tcp(text, url);
    }
    if (starts_with(text, SENTINEL) || starts_with(text, TLS_SENTINEL)) {
        return read_by_sentinels(strstr(text, "://") + strlen("://"), url);
    }
    if (starts_with(text, CLUSTER) || starts_with(text, TLS_CLUSTER)) {
        return read_cluster(strstr(text, "://") + strlen("://"), url);
    }
    return "it is neither " REDIS_URL_UNIX_FORM " nor " REDIS_URL_TCP_FORM
           " nor " REDIS_URL_SENTINEL_FORM " nor " REDIS_URL_CLUSTER_FORM
           " nor, with TLS, rediss://.., rediss+sentinel://.. or "
           "rediss+cluster://..";
}

const char *
redis_url_problem(const char *text)
{
    struct redis_url url;
    const char *problem = redis_url_parse(text, &url);

    redis_url_fini(&url);
    return problem;
}

static void
print_hosts(FILE *out, const struct redis_url *url)
{
    for (size_t i = 0; i < url->host_count; i++) {
        fprintf(out, "%s%s %s", i > 0 ? "\n" : "", url->hosts[i].host,
                url->hosts[i].port);
    }
}

bool
redis_url_has_tls(const char *text)
{
    struct redis_url url;
    bool has_tls = redis_url_parse(text, &url) == NULL && url.tls;

    redis_url_fini(&url);
    return has_tls;
}

bool
redis_url_has_sentinels(const char *text)
{
    struct redis_url url;
    bool has_sentinels =
        redis_url_parse(text, &url) == NULL && url.master != NULL;

    redis_url_fini(&url);
    return has_sentinels;
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
        {"master", &url.master},
    };
    bool of_sentinels = strcmp(part, "sentinels") == 0;
    bool found = of_sentinels || strcmp(part, "nodes") == 0;
    bool of_tls = strcmp(part, "tls") == 0;

    redis_url_parse(text, &url);
    if (found && url.cluster != of_sentinels) {
        print_hosts(out, &url);
    }
    if (of_tls && url.tls) {
        fputs("yes", out);
    }
    found = found || of_tls;
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
    free(url->master);
    for (size_t i = 0; i < url->host_count; i++) {
        free(url->hosts[i].host);
        free(url->hosts[i].port);
    }
    memset(url, 0, sizeof(*url));
}

bool
redis_url_is_cluster(const char *url)
{
    return starts_with(url, CLUSTER) || starts_with(url, TLS_CLUSTER);
}
