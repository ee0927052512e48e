/*
 * aws_instance: credentials of the role of an EC2 instance, from its metadata
 * service, version 2: a session token, the role's name, its credentials. There
 * is no way back to version 1, which needs no token.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
 */
#define _GNU_SOURCE /* asprintf */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_source.h"

#define DISABLED "AWS_EC2_METADATA_DISABLED"
#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define MODE "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"

#define IPV4 "http://169.254.169.254"
#define IPV6 "http://[fd00:ec2::254]"

#define TOKEN_PATH "/latest/api/token"
#define TTL "X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define PASS "X-aws-ec2-metadata-token: "
#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"

/* IAM's rule for the name of a role: it becomes a part of the URL. */
#define ROLE_BYTES                                                             \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-"

static const char *
endpoint(void)
{
    const char *set = aws_variable(ENDPOINT);
    const char *mode = aws_variable(MODE);

    if (set != NULL) {
        return set;
    }
    return mode != NULL && strcasecmp(mode, "IPv6") == 0 ? IPV6 : IPV4;
}

/* Asks for a path, with role, which may be "", at its end. */
static enum aws_source_result
ask(struct aws_lookup *lookup, bool put, const char *header, const char *path,
    const char *role)
{
    const char *base = endpoint();
    size_t len = strlen(base);
    char *copy = strdup(header);

    if (copy == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "no memory");
    }
    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    return aws_lookup_ask(lookup, put, copy, "%.*s%s%s", (int)len, base, path,
                          role);
}

static enum aws_source_result
ask_for_token(struct aws_lookup *lookup)
{
    const char *disabled = aws_variable(DISABLED);

    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        return aws_lookup_end(lookup, AWS_SOURCE_NONE, DISABLED " is set");
    }
    return ask(lookup, true, TTL, TOKEN_PATH, "");
}

static enum aws_source_result
ask_for_role(struct aws_lookup *lookup)
{
    if (lookup->status != 200) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "no session token: HTTP %ld", lookup->status);
    }
    if (lookup->body[0] == '\0' || !aws_is_visible(lookup->body)) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "the answer is no session token");
    }
    if (asprintf(&lookup->pass, PASS "%s", lookup->body) < 0) {
        lookup->pass = NULL; /* undefined otherwise: asprintf(3) */
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "no memory");
    }
    return ask(lookup, false, lookup->pass, ROLES_PATH, "");
}

/* The answer lists the roles, one a line; there is one at most. */
static enum aws_source_result
ask_for_credentials(struct aws_lookup *lookup)
{
    char role[65];
    size_t len = strspn(lookup->body, ROLE_BYTES);

    if (lookup->status == 404) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "the instance has no role");
    }
    if (lookup->status != 200) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "no role: HTTP %ld",
                              lookup->status);
    }
    if (len == 0 || len >= sizeof(role) ||
        (lookup->body[len] != '\0' && lookup->body[len] != '\n')) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "the answer is no name of a role");
    }
    snprintf(role, sizeof(role), "%.*s", (int)len, lookup->body);
    return ask(lookup, false, lookup->pass, ROLES_PATH, role);
}

static enum aws_source_result
read_credentials(struct aws_lookup *lookup)
{
    if (lookup->status != 200) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "no credentials of the role: HTTP %ld",
                              lookup->status);
    }
    return aws_credentials_parse(&lookup->found, lookup->body, lookup->why) == 0
               ? AWS_SOURCE_FOUND
               : AWS_SOURCE_BAD;
}

static enum aws_source_result
step(struct aws_lookup *lookup)
{
    static enum aws_source_result (*const steps[])(struct aws_lookup *) = {
        ask_for_token, ask_for_role, ask_for_credentials, read_credentials};

    return steps[lookup->step](lookup);
}

const struct aws_source aws_instance = {.name = "instance metadata",
                                        .step = step};
