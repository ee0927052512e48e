/*
 * payload: libcurl's parser splits the URL, so that it is read here in the same
 * way as by the transfer.
 */
#define _GNU_SOURCE
#include "payload.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest 64-bit number in decimal, and the brace behind it. */
enum { NUMBER_MAX_BYTES = 20, SUFFIX_BYTES = 1 };

/* Makes {"field": with the field's name quoted as JSON; malloc'd. */
static char *
make_prefix(const char *field)
{
    json_t *name = json_string(field);
    char *quoted = json_dumps(name, JSON_ENCODE_ANY);
    char *prefix = NULL;

    if (quoted != NULL && asprintf(&prefix, "{%s: ", quoted) < 0) {
        prefix = NULL;
    }
    free(quoted);
    json_decref(name);
    return prefix;
}

int
payload_init(struct payload *payload, const struct options *options)
{
    payload->method = options->callbacks.method;
    payload->prefix = make_prefix(options->callbacks.json_field);
    if (asprintf(&payload->query_param, "%s=", options->callbacks.query_param) <
        0) {
        payload->query_param = NULL;
    }
    if (payload->prefix == NULL || payload->query_param == NULL) {
        payload_fini(payload);
        errno = EINVAL;
        return -1;
    }
    return 0;
}

void
payload_fini(struct payload *payload)
{
    free(payload->prefix);
    free(payload->query_param);
    memset(payload, 0, sizeof(*payload));
}

size_t
payload_body_size(const struct payload *payload)
{
    return strlen(payload->prefix) + NUMBER_MAX_BYTES + SUFFIX_BYTES + 1;
}

size_t
payload_body(const struct payload *payload, int64_t count, char *body,
             size_t size)
{
    int len = snprintf(body, size, "%s%" PRId64 "}", payload->prefix, count);

    return (size_t)len;
}

/* Appends the count to the query. Returns the URL, malloc'd; NULL: failed. */
static char *
append_count(const struct payload *payload, CURLU *parsed, int64_t count)
{
    char *parameter = NULL;
    char *url = NULL;
    char *copy = NULL;

    if (asprintf(&parameter, "%s%" PRId64, payload->query_param, count) < 0) {
        return NULL;
    }
    if (curl_url_set(parsed, CURLUPART_QUERY, parameter,
                     CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        copy = strdup(url);
    }
    curl_free(url);
    free(parameter);
    return copy;
}

/* libcurl turns each spelling of an IPv4 address into four numbers. */
static bool
is_address(const char *host)
{
    struct in_addr address;

    return host[0] == '[' || inet_pton(AF_INET, host, &address) == 1;
}

/* The parser refuses blanks and control bytes in a host. */
static bool
read_host(CURLU *parsed, struct payload_target *target)
{
    char *host = NULL;
    char *port = NULL;
    bool done = false;

    if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
            CURLUE_OK) {
        if (asprintf(&target->host, "%s:%s", host, port) < 0) {
            target->host = NULL;
        }
        target->name = is_address(host) ? NULL : strdup(host);
        done =
            target->host != NULL && (target->name != NULL || is_address(host));
    }
    curl_free(host);
    curl_free(port);
    return done;
}

/* Path and query. append_count leaves a URL with at least a slash there. */
static const char *
path_of(const char *url)
{
    const char *authority = url == NULL ? NULL : strstr(url, "//");

    return authority == NULL ? NULL : strchr(authority + 2, '/');
}

static bool
read_target(const struct payload *payload, CURLU *parsed, const char *url,
            int64_t count, struct payload_target *target)
{
    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS) !=
            CURLUE_OK ||
        !read_host(parsed, target)) {
        return false;
    }
    if (payload->method == CALLBACK_POST) {
        target->url = strdup(url);
        return target->url != NULL;
    }
    target->url = append_count(payload, parsed, count);
    target->path = path_of(target->url);
    return target->path != NULL;
}

int
payload_target(const struct payload *payload, const char *url, int64_t count,
               struct payload_target *target)
{
    CURLU *parsed = curl_url();
    bool done;

    memset(target, 0, sizeof(*target));
    done = parsed != NULL && read_target(payload, parsed, url, count, target);
    curl_url_cleanup(parsed);
    if (!done) {
        payload_target_fini(target);
        return -1;
    }
    return 0;
}

void
payload_target_fini(struct payload_target *target)
{
    free(target->url);
    free(target->host);
    free(target->name);
    memset(target, 0, sizeof(*target));
}
