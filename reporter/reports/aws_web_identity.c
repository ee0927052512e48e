/*
 * aws_web_identity: temporary credentials of a role, for which STS takes the
 * token of another identity provider: that of a Kubernetes cluster, for example
 * (EKS: IAM roles for service accounts).
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
#define _GNU_SOURCE /* asprintf */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_source.h"
#include "base/util.h"

#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"
#define ROLE "AWS_ROLE_ARN"
#define SESSION "AWS_ROLE_SESSION_NAME"
#define ENDPOINT "AWS_ENDPOINT_URL_STS"

#define FORM                                                                   \
    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s"           \
    "&RoleSessionName=%s&WebIdentityToken=%s"

/* The parts of the answer, in their order in struct values. */
static const char *const tags[] = {"AccessKeyId", "SecretAccessKey",
                                   "SessionToken", "Expiration"};

enum { TAGS = 4 };

/* Escapes the values of the form. NULL: no memory; the caller frees it. */
static char *
make_form(const char *token)
{
    const char *session = aws_variable(SESSION);
    char *role = curl_easy_escape(NULL, aws_variable(ROLE), 0);
    char *name = curl_easy_escape(NULL, session == NULL ? "verve" : session, 0);
    char *pass = curl_easy_escape(NULL, token, 0);
    char *form = NULL;

    if (role == NULL || name == NULL || pass == NULL ||
        asprintf(&form, FORM, role, name, pass) < 0) {
        form = NULL; /* undefined otherwise: asprintf(3) */
    }
    curl_free(role);
    curl_free(name);
    curl_free(pass);
    return form;
}

/* STS of the region, or the global one if no region is set. */
static enum aws_source_result
ask_sts(struct aws_lookup *lookup)
{
    const char *endpoint = aws_variable(ENDPOINT);
    const char *region = aws_variable("AWS_REGION");

    if (region == NULL) {
        region = aws_variable("AWS_DEFAULT_REGION");
    }
    if (endpoint != NULL) {
        return aws_lookup_ask(lookup, false, NULL, "%s", endpoint);
    }
    if (region == NULL) {
        return aws_lookup_ask(lookup, false, NULL,
                              "https://sts.amazonaws.com/");
    }
    return aws_lookup_ask(lookup, false, NULL,
                          "https://sts.%s.amazonaws.com%s/", region,
                          starts_with(region, "cn-") ? ".cn" : "");
}

static enum aws_source_result
ask(struct aws_lookup *lookup)
{
    const char *path = aws_variable(TOKEN_FILE);
    enum aws_source_result result;
    char *token;

    if (path == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_NONE,
                              TOKEN_FILE " is not set");
    }
    if (aws_variable(ROLE) == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, ROLE " is not set");
    }
    token = aws_file_read(path);
    if (token == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, TOKEN_FILE ": %s",
                              strerror(errno));
    }
    token[strcspn(token, "\r\n")] = '\0';
    result = ask_sts(lookup);
    lookup->request.form = make_form(token);
    aws_wipe(token);
    return lookup->request.form == NULL
               ? aws_lookup_end(lookup, AWS_SOURCE_BAD, "no memory")
               : result;
}

/* Copies the text of the first element of a name, whose characters are never
   escaped here. NULL: there is none, or no memory; the caller frees it. */
static char *
copy_element(const char *xml, const char *name)
{
    char tag[32];
    const char *start;

    snprintf(tag, sizeof(tag), "<%s>", name);
    start = strstr(xml, tag);
    if (start == NULL) {
        return NULL;
    }
    start += strlen(tag);
    return strndup(start, strcspn(start, "<"));
}

static enum aws_source_result
read_credentials(struct aws_lookup *lookup)
{
    char *values[TAGS];
    enum aws_source_result result = AWS_SOURCE_BAD;

    for (size_t i = 0; i < TAGS; i++) {
        values[i] = copy_element(lookup->body, tags[i]);
    }
    if (aws_credentials_take(
            &lookup->found,
            &(struct aws_parts){
                .access_key = values[0],
                .secret_key = values[1],
                .session_token = values[2],
                .expiration = values[3],
                .access_key_name = "AccessKeyId of the answer",
                .secret_key_name = "SecretAccessKey of the answer",
                .session_token_name = "SessionToken of the answer",
            },
            lookup->why) == 0) {
        result = AWS_SOURCE_FOUND;
    }
    for (size_t i = 0; i < TAGS; i++) {
        aws_wipe(values[i]);
    }
    return result;
}

/* The answer to a refused request has the type of the error:
   ExpiredTokenException, InvalidIdentityToken, AccessDenied. */
static enum aws_source_result
step(struct aws_lookup *lookup)
{
    enum aws_source_result result;
    char *code;

    if (lookup->step == 0) {
        return ask(lookup);
    }
    if (lookup->status == 200) {
        return read_credentials(lookup);
    }
    code = copy_element(lookup->body, "Code");
    result = aws_lookup_end(lookup, AWS_SOURCE_BAD, "HTTP %ld %.64s",
                            lookup->status, code == NULL ? "" : code);
    free(code);
    return result;
}

const struct aws_source aws_web_identity = {.name = "web identity",
                                            .step = step};
