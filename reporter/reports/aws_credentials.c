/*
 * aws_credentials: taken as a whole or not at all.
 */
#define _GNU_SOURCE /* explicit_bzero */
#include "aws_credentials.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfc3339.h"

bool
aws_is_visible(const char *text)
{
    while (*text > 0x20 && *text < 0x7f) {
        text++;
    }
    return *text == '\0';
}

static int
check(const char *name, const char *value, bool needed, char why[AWS_WHY_SIZE])
{
    if (value == NULL || value[0] == '\0') {
        snprintf(why, AWS_WHY_SIZE, "%s is missing", name);
        return needed ? -1 : 0;
    }
    if (!aws_is_visible(value)) {
        snprintf(why, AWS_WHY_SIZE,
                 "%s has a blank, a newline or a byte outside ASCII", name);
        return -1;
    }
    return 0;
}

/* Some endpoints give fractions of a second. 0, or -1: it is no time. */
static int
read_expiration(const char *text, int64_t *time_s)
{
    char whole[RFC3339_SIZE];
    size_t len = text == NULL ? 0 : strcspn(text, ".");

    *time_s = 0;
    if (text == NULL) {
        return 0;
    }
    if (text[len] == '\0') {
        return rfc3339_parse(text, len, time_s);
    }
    snprintf(whole, sizeof(whole), "%.*sZ", (int)(len < 30 ? len : 30), text);
    return rfc3339_parse(whole, strlen(whole), time_s);
}

int
aws_credentials_take(struct aws_credentials *to, const struct aws_parts *parts,
                     char why[AWS_WHY_SIZE])
{
    const char *token = parts->session_token;
    int64_t expires_s;

    if (check(parts->access_key_name, parts->access_key, true, why) < 0 ||
        check(parts->secret_key_name, parts->secret_key, true, why) < 0 ||
        check(parts->session_token_name, token, false, why) < 0) {
        return -1;
    }
    if (read_expiration(parts->expiration, &expires_s) < 0) {
        snprintf(why, AWS_WHY_SIZE, "the expiration is no time");
        return -1;
    }
    to->expires_s = expires_s;
    to->access_key = strdup(parts->access_key);
    to->secret_key = strdup(parts->secret_key);
    to->session_token = strdup(token == NULL ? "" : token);
    if (to->access_key == NULL || to->secret_key == NULL ||
        to->session_token == NULL) {
        aws_credentials_fini(to);
        snprintf(why, AWS_WHY_SIZE, "no memory");
        return -1;
    }
    return 0;
}

static int
take_object(struct aws_credentials *to, const json_t *object,
            char why[AWS_WHY_SIZE])
{
    const struct aws_parts parts = {
        .access_key = json_string_value(json_object_get(object, "AccessKeyId")),
        .secret_key =
            json_string_value(json_object_get(object, "SecretAccessKey")),
        .session_token = json_string_value(json_object_get(object, "Token")),
        .expiration = json_string_value(json_object_get(object, "Expiration")),
        .access_key_name = "AccessKeyId of the answer",
        .secret_key_name = "SecretAccessKey of the answer",
        .session_token_name = "Token of the answer",
    };

    return aws_credentials_take(to, &parts, why);
}

/* jansson's error text is not shown: it has a part of the answer. */
int
aws_credentials_parse(struct aws_credentials *to, const char *json,
                      char why[AWS_WHY_SIZE])
{
    json_t *object = json_loads(json, 0, NULL);
    int result = -1;

    if (json_is_object(object)) {
        result = take_object(to, object, why);
    } else {
        snprintf(why, AWS_WHY_SIZE, "the answer is no JSON object");
    }
    json_decref(object);
    return result;
}

static bool
equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
aws_credentials_equal(const struct aws_credentials *a,
                      const struct aws_credentials *b)
{
    return equal(a->access_key, b->access_key) &&
           equal(a->secret_key, b->secret_key) &&
           equal(a->session_token, b->session_token);
}

void
aws_wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void
aws_credentials_fini(struct aws_credentials *credentials)
{
    aws_wipe(credentials->access_key);
    aws_wipe(credentials->secret_key);
    aws_wipe(credentials->session_token);
    memset(credentials, 0, sizeof(*credentials));
}
