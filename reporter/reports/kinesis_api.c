/*
 * kinesis_api: JSON by jansson, Base64 (RFC 4648, 4) by hand.
 */
#include "kinesis_api.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"
#include "record_format.h"

enum { BASE64_SIZE = (RECORD_FORMAT_SIZE + 2) / 3 * 4 + 1 };

/* Error types that come with status 400 and yet pass by themselves. */
static const char *const passing[] = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "KMSThrottlingException",
    "RequestTimeoutException",
};

static void
encode(char text[BASE64_SIZE], const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        unsigned word = (unsigned)(unsigned char)bytes[i] << 16;

        word |= i + 1 < len ? (unsigned)(unsigned char)bytes[i + 1] << 8 : 0;
        word |= i + 2 < len ? (unsigned)(unsigned char)bytes[i + 2] : 0;
        *text++ = digits[word >> 18];
        *text++ = digits[word >> 12 & 63];
        *text++ = i + 1 < len ? digits[word >> 6 & 63] : '=';
        *text++ = i + 2 < len ? digits[word & 63] : '=';
    }
    *text = '\0';
}

size_t
kinesis_body(char body[KINESIS_BODY_SIZE], const char *stream,
             const struct window_record *record)
{
    char data[RECORD_FORMAT_SIZE], encoded[BASE64_SIZE], start[RFC3339_SIZE];
    size_t len = record_format_json(data, record);
    json_t *json;

    if (len == 0) {
        return 0;
    }
    encode(encoded, data, len);
    rfc3339_format(start, record->start_s);
    json = json_pack("{s:s, s:s, s:s}", "StreamName", stream, "PartitionKey",
                     start, "Data", encoded);
    len = json == NULL
              ? 0
              : json_dumpb(json, body, KINESIS_BODY_SIZE, JSON_COMPACT);
    json_decref(json);
    return len <= KINESIS_BODY_SIZE ? len : 0;
}

static const char *
text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text == NULL ? "" : text;
}

/* The error's name, without the namespace that some answers put before it. */
static const char *
type_of(const json_t *json)
{
    const char *type = text_of(json, "__type");
    const char *hash = strrchr(type, '#');

    return hash == NULL ? type : hash + 1;
}

static enum kinesis_verdict
judge_error(long status, const char *type)
{
    if (status >= 500 || status == 429 || status == 408) {
        return KINESIS_BUSY;
    }
    for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
        if (strcmp(type, passing[i]) == 0) {
            return KINESIS_BUSY;
        }
    }
    return KINESIS_REFUSED;
}

enum kinesis_verdict
kinesis_classify(long status, const char *body, size_t len,
                 char why[KINESIS_WHY_SIZE])
{
    json_t *json = json_loadb(body, len, 0, NULL);
    enum kinesis_verdict verdict;

    if (status == 200 && text_of(json, "SequenceNumber")[0] != '\0') {
        verdict = KINESIS_TAKEN;
    } else if (status == 200) {
        snprintf(why, KINESIS_WHY_SIZE, "its answer is not Kinesis's");
        verdict = KINESIS_REFUSED;
    } else {
        const char *message = text_of(json, "message");

        if (message[0] == '\0') {
            message = text_of(json, "Message");
        }
        snprintf(why, KINESIS_WHY_SIZE, "HTTP %ld %s: %s", status,
                 type_of(json), message);
        verdict = judge_error(status, type_of(json));
    }
    json_decref(json);
    return verdict;
}
