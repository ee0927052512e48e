/*
 * aws_container: credentials of the role of a container, from an HTTP endpoint
 * that the variables name: of ECS, of EKS Pod Identity, or of somebody's own.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
#define _GNU_SOURCE /* asprintf */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_source.h"
#include "net/ip_address.h"

#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL_URI "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

/* Where a relative URI is: the endpoint of ECS. */
#define ECS "http://169.254.170.2"

/* The only addresses that are asked over http, in clear: the own host, ECS, and
   the two of EKS Pod Identity. */
static const char *const safe_blocks[] = {
    "127.0.0.0/8", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23",
};

static bool
is_safe_host(const char *host)
{
    size_t len = strlen(host);
    struct ip_block address, block;

    if (strcmp(host, "localhost") == 0) {
        return true; /* libcurl never looks this name up */
    }
    if (host[0] == '[' && len > 2) { /* [::1] */
        host++;
        len -= 2;
    }
    if (ip_block_parse(host, len, &address) != NULL ||
        !ip_block_is_single(&address)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(safe_blocks) / sizeof(*safe_blocks); i++) {
        if (ip_block_parse(safe_blocks[i], strlen(safe_blocks[i]), &block) ==
                NULL &&
            ip_block_contains(&block, &address.first)) {
            return true;
        }
    }
    return false;
}

/* Any host over https; over http the safe ones, as in the AWS SDKs. */
static bool
is_allowed(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    bool allowed =
        url != NULL &&
        curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) ==
            CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        (strcmp(scheme, "https") == 0 ||
         (strcmp(scheme, "http") == 0 && is_safe_host(host)));

    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return allowed;
}

/* Replaces *token, which may be NULL, by the header with it. 0, or -1 and why;
 *token is freed then. */
static int
make_header(char **token, const char *name, char why[AWS_WHY_SIZE])
{
    char *header = NULL;
    int result = -1;

    if (*token == NULL) {
        return 0;
    }
    if ((*token)[strcspn(*token, "\r\n")] != '\0') {
        snprintf(why, AWS_WHY_SIZE, "%s has a newline", name);
    } else if (asprintf(&header, "Authorization: %s", *token) < 0) {
        header = NULL; /* undefined otherwise: asprintf(3) */
        snprintf(why, AWS_WHY_SIZE, "no memory");
    } else {
        result = 0;
    }
    free(*token);
    *token = header;
    return result;
}

/* The authorization token, or NULL in *token if there is none. The file's goes
   first, and is read each time, because it is renewed. */
static int
read_token(char **token, const char **name, char why[AWS_WHY_SIZE])
{
    const char *path = aws_variable(TOKEN_FILE);
    const char *value = aws_variable(TOKEN);

    *name = path != NULL ? TOKEN_FILE : TOKEN;
    *token = NULL;
    if (path == NULL && value == NULL) {
        return 0;
    }
    *token = path != NULL ? aws_file_read(path) : strdup(value);
    if (*token == NULL) {
        snprintf(why, AWS_WHY_SIZE, "%s: %s", *name, strerror(errno));
        return -1;
    }
    if (path != NULL) { /* editors end a file with a newline */
        (*token)[strcspn(*token, "\r\n")] = '\0';
    }
    return 0;
}

static enum aws_source_result
ask(struct aws_lookup *lookup)
{
    const char *relative = aws_variable(RELATIVE_URI);
    const char *full = aws_variable(FULL_URI);
    const char *name;
    char *header;

    if (relative == NULL && full == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_NONE,
                              "neither " RELATIVE_URI " nor " FULL_URI
                              " is set");
    }
    if (relative != NULL && relative[0] != '/') {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              RELATIVE_URI " does not begin with a slash");
    }
    if (relative == NULL && !is_allowed(full)) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              FULL_URI " is neither https nor an http URL of "
                                       "this host, ECS or EKS");
    }
    if (read_token(&header, &name, lookup->why) < 0 ||
        make_header(&header, name, lookup->why) < 0) {
        return AWS_SOURCE_BAD;
    }
    return relative != NULL
               ? aws_lookup_ask(lookup, false, header, ECS "%s", relative)
               : aws_lookup_ask(lookup, false, header, "%s", full);
}

static enum aws_source_result
step(struct aws_lookup *lookup)
{
    if (lookup->step == 0) {
        return ask(lookup);
    }
    if (lookup->status != 200) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "HTTP %ld",
                              lookup->status);
    }
    return aws_credentials_parse(&lookup->found, lookup->body, lookup->why) == 0
               ? AWS_SOURCE_FOUND
               : AWS_SOURCE_BAD;
}

const struct aws_source aws_container = {.name = "container", .step = step};
