/*
 * aws_environment: credentials in the environment of this process. They never
 * change while it runs.
 * https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
 */
#include <stddef.h>

#include "aws_source.h"

#define ACCESS_KEY "AWS_ACCESS_KEY_ID"
#define SECRET_KEY "AWS_SECRET_ACCESS_KEY"
#define SESSION_TOKEN "AWS_SESSION_TOKEN"

static enum aws_source_result
step(struct aws_lookup *lookup)
{
    const struct aws_parts parts = {
        .access_key = aws_variable(ACCESS_KEY),
        .secret_key = aws_variable(SECRET_KEY),
        .session_token = aws_variable(SESSION_TOKEN),
        .access_key_name = ACCESS_KEY,
        .secret_key_name = SECRET_KEY,
        .session_token_name = SESSION_TOKEN,
    };

    if (parts.access_key == NULL && parts.secret_key == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_NONE,
                              ACCESS_KEY " is not set");
    }
    return aws_credentials_take(&lookup->found, &parts, lookup->why) == 0
               ? AWS_SOURCE_FOUND
               : AWS_SOURCE_BAD;
}

const struct aws_source aws_environment = {.name = "environment", .step = step};
