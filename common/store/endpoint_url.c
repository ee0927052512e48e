/*
 * endpoint_url: three steps. The first checks the text, for URLs that libcurl
 * would accept and we do not. The second is libcurl's parser. The third checks
 * the host and the port that the parser found.
 */
#include "endpoint_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/host_name.h"
#include "base/util.h"

/* True if every byte is printable ASCII and no byte is a blank. */
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

/* The length of the scheme before "://"; 0 if there is no scheme. */
static size_t
scheme_length(const char *url)
{
    size_t len = strspn(url, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return starts_with(url + len, "://") ? len : 0;
}

/* libcurl reads http:/host and http:///host as http://host; we do not. */
static enum error_code
check_text(const char *url)
{
    size_t scheme_len = scheme_length(url);
    const char *authority = url + scheme_len + 3;
    size_t authority_len;

    if (scheme_len == 0) {
        return ERROR_CODE_ENDPOINT_NOT_ABSOLUTE;
    }
    if (!(scheme_len == 4 && strncasecmp(url, "http", 4) == 0) &&
        !(scheme_len == 5 && strncasecmp(url, "https", 5) == 0)) {
        return ERROR_CODE_ENDPOINT_BAD_SCHEME;
    }
    authority_len = strcspn(authority, "/?");
    if (authority_len == 0) {
        return ERROR_CODE_ENDPOINT_NO_HOST;
    }
    if (memchr(authority, '@', authority_len) != NULL) {
        return ERROR_CODE_ENDPOINT_CREDENTIALS;
    }
    if (authority[0] == '[' && memchr(authority, '%', authority_len) != NULL) {
        return ERROR_CODE_ENDPOINT_ZONE_ID;
    }
    return ERROR_CODE_NONE;
}

static enum error_code
code_of(CURLUcode code)
{
    if (code == CURLUE_NO_HOST) {
        return ERROR_CODE_ENDPOINT_NO_HOST;
    }
    if (code == CURLUE_BAD_PORT_NUMBER) {
        return ERROR_CODE_ENDPOINT_BAD_PORT;
    }
    if (code == CURLUE_BAD_HOSTNAME || code == CURLUE_BAD_IPV6) {
        return ERROR_CODE_ENDPOINT_BAD_HOST;
    }
    return ERROR_CODE_ENDPOINT_MALFORMED;
}

/* libcurl has decoded %XX, and checks what is between brackets. */
static enum error_code
check_host(const char *host)
{
    size_t len = strlen(host);

    if (!all_visible(host, len)) {
        return ERROR_CODE_ENDPOINT_BAD_BYTE;
    }
    return host[0] == '[' || host_name_is_valid(host, len)
               ? ERROR_CODE_NONE
               : ERROR_CODE_ENDPOINT_BAD_HOST;
}

/* libcurl accepts port 0, and hosts that no DNS has. */
static enum error_code
check_parts(CURLU *parsed)
{
    enum error_code problem = ERROR_CODE_ENDPOINT_MALFORMED;
    char *host = NULL;
    char *port = NULL;

    if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
            CURLUE_OK) {
        problem = check_host(host);
        if (problem == ERROR_CODE_NONE && strcmp(port, "0") == 0) {
            problem = ERROR_CODE_ENDPOINT_BAD_PORT;
        }
    }
    curl_free(host);
    curl_free(port);
    return problem;
}

static enum error_code
check_parsed(const char *url)
{
    CURLU *parsed = curl_url();
    enum error_code problem;
    CURLUcode code;

    if (parsed == NULL) {
        return ERROR_CODE_ENDPOINT_MALFORMED; /* no memory: a refusal loses
                                                 nothing */
    }
    code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    problem = code != CURLUE_OK ? code_of(code) : check_parts(parsed);
    curl_url_cleanup(parsed);
    return problem;
}

enum error_code
endpoint_url_check(const char *url, size_t *len)
{
    char copy[ENDPOINT_URL_MAX_BYTES + 1];
    enum error_code problem;
    char *fragment;

    if (*len > ENDPOINT_URL_MAX_BYTES) {
        return ERROR_CODE_ENDPOINT_TOO_LONG;
    }
    if (!all_visible(url, *len)) {
        return ERROR_CODE_ENDPOINT_BAD_BYTE;
    }
    memcpy(copy, url, *len);
    copy[*len] = '\0';
    fragment = strchr(copy, '#');
    if (fragment != NULL) {
        *fragment = '\0';
    }
    problem = check_text(copy);
    if (problem == ERROR_CODE_NONE) {
        problem = check_parsed(copy);
    }
    if (problem == ERROR_CODE_NONE) {
        *len = strlen(copy);
    }
    return problem;
}

bool
endpoint_url_host(const char *url, char *host, size_t size)
{
    CURLU *parsed = curl_url();
    char *found = NULL;
    int len = -1;

    if (parsed != NULL &&
        curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &found, 0) == CURLUE_OK) {
        len = snprintf(host, size, "%s", found);
    }
    curl_free(found);
    curl_url_cleanup(parsed);
    return len >= 0 && (size_t)len < size;
}
