/*
 * kinesis_answer: the JSON of an answer, and the types of errors in it.
 */
#include "kinesis_answer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Error types that are worth a retry though their status is 400. */
static const char *const retried_errors[] = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "KMSThrottlingException",
    "RequestTimeoutException",
};

/* Error types that other credentials may do away with.
   https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html */
static const char *const credential_errors[] = {
    "ExpiredTokenException",       "ExpiredToken",
    "UnrecognizedClientException", "InvalidClientTokenId",
    "InvalidSignatureException",
};

/* The string at key, "" if there is none. */
static const char *
string_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text == NULL ? "" : text;
}

/* The error type, without the namespace that some responses put before it. */
static const char *
error_type(const json_t *json)
{
    const char *type = string_at(json, "__type");
    const char *hash = strrchr(type, '#');

    return hash == NULL ? type : hash + 1;
}

static bool
is_one_of(const char *type, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum kinesis_result
classify_error(long status, const char *type)
{
    if (status >= 500 || status == 429 || status == 408 ||
        is_one_of(type, retried_errors,
                  sizeof(retried_errors) / sizeof(char *))) {
        return KINESIS_RETRY;
    }
    return is_one_of(type, credential_errors,
                     sizeof(credential_errors) / sizeof(char *))
               ? KINESIS_UNKNOWN
               : KINESIS_REFUSED;
}

enum kinesis_result
kinesis_answer_classify(long status, const char *body, size_t len,
                        char why[SINK_WHY_SIZE])
{
    json_t *json = json_loadb(body, len, 0, NULL);
    enum kinesis_result result;

    if (status == 200 && string_at(json, "SequenceNumber")[0] != '\0') {
        result = KINESIS_STORED;
    } else if (status == 200) {
        snprintf(why, SINK_WHY_SIZE, "its answer is not Kinesis's");
        result = KINESIS_REFUSED;
    } else {
        const char *message = string_at(json, "message");

        if (message[0] == '\0') {
            message = string_at(json, "Message");
        }
        /* After a wrong signature, the lines after the first have the whole
           request, with its session token. */
        snprintf(why, SINK_WHY_SIZE, "HTTP %ld %s: %.*s", status,
                 error_type(json), (int)strcspn(message, "\r\n"), message);
        result = classify_error(status, error_type(json));
    }
    json_decref(json);
    return result;
}
