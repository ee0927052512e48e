/*
 * endpoint: which URLs may be endpoints. First what libcurl's parser lets
 * through though we do not, on the text itself; then the parser; then what it
 * made of the host.
 */
#include "endpoint_url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

/* True where every byte is printable ASCII and none a blank. */
static bool
all_visible(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < 0x21 || bytes[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* The length of the scheme in front of "://"; 0 where there is none. */
static size_t
scheme_length(const char *url)
{
    size_t len = strspn(url, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return starts_with(url + len, "://") ? len : 0;
}

/* libcurl takes http:/host and http:///host for http://host: we do not. */
static const char *
check_text(const char *url)
{
    size_t scheme_len = scheme_length(url);
    const char *authority = url + scheme_len + 3;
    size_t authority_len;

    if (scheme_len == 0) {
        return "endpoint-not-absolute";
    }
    if (!(scheme_len == 4 && strncasecmp(url, "http", 4) == 0) &&
        !(scheme_len == 5 && strncasecmp(url, "https", 5) == 0)) {
        return "endpoint-bad-scheme";
    }
    authority_len = strcspn(authority, "/?");
    if (authority_len == 0) {
        return "endpoint-no-host";
    }
    if (memchr(authority, '@', authority_len) != NULL) {
        return "endpoint-credentials";
    }
    if (authority[0] == '[' && memchr(authority, '%', authority_len) != NULL) {
        return "endpoint-zone-id";
    }
    return NULL;
}

static const char *
rule_of(CURLUcode code)
{
    if (code == CURLUE_NO_HOST) {
        return "endpoint-no-host";
    }
    if (code == CURLUE_BAD_PORT_NUMBER) {
        return "endpoint-bad-port";
    }
    return "endpoint-malformed";
}

/* libcurl decodes %XX in hosts, and takes port 0. */
static const char *
check_parts(CURLU *parsed)
{
    const char *problem = NULL;
    char *host = NULL;
    char *port = NULL;

    if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) !=
            CURLUE_OK) {
        problem = "endpoint-malformed";
    } else if (!all_visible(host, strlen(host))) {
        problem = "endpoint-bad-byte";
    } else if (strcmp(port, "0") == 0) {
        problem = "endpoint-bad-port";
    }
    curl_free(host);
    curl_free(port);
    return problem;
}

static const char *
check_parsed(const char *url)
{
    CURLU *parsed = curl_url();
    const char *problem;
    CURLUcode code;

    if (parsed == NULL) {
        return "endpoint-malformed"; /* no memory; nothing is lost by it */
    }
    code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    problem = code != CURLUE_OK ? rule_of(code) : check_parts(parsed);
    curl_url_cleanup(parsed);
    return problem;
}

const char *
endpoint_url_check(const char *url, size_t *len)
{
    char copy[ENDPOINT_URL_MAX_BYTES + 1];
    const char *problem;
    char *fragment;

    if (*len > ENDPOINT_URL_MAX_BYTES) {
        return "endpoint-too-long";
    }
    if (!all_visible(url, *len)) {
        return "endpoint-bad-byte";
    }
    memcpy(copy, url, *len);
    copy[*len] = '\0';
    fragment = strchr(copy, '#');
    if (fragment != NULL) {
        *fragment = '\0';
    }
    problem = check_text(copy);
    if (problem == NULL) {
        problem = check_parsed(copy);
    }
    if (problem == NULL) {
        *len = strlen(copy);
    }
    return problem;
}
