/*
 * kinesis_client: the exact body of a PutRecord, and the result of each
 * response.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reports/kinesis_client.h"

/* 2026-01-02T03:04:00Z */
#define START_S INT64_C(1767323040)

/* Three lengths, so that Base64 ends in each of its three ways. The wanted data
   is that of base64(1). */
static const struct body_row {
    struct window_record record;
    const char *data;
} bodies[] = {
    {{.start_s = START_S, .length_s = 60, .count = 1},
     "eyJ1bmlxdWVfcmVxdWVzdF9jb3VudCI6MSwid2luZG93X3N0YXJ0IjoiMjAyNi0wMS0wMlQw"
     "MzowNDowMFoiLCJ3aW5kb3dfc2Vjb25kcyI6NjAsImxhdGUiOmZhbHNlfQ=="},
    {{.start_s = START_S, .length_s = 60, .count = 12},
     "eyJ1bmlxdWVfcmVxdWVzdF9jb3VudCI6MTIsIndpbmRvd19zdGFydCI6IjIwMjYtMDEtMDJU"
     "MDM6MDQ6MDBaIiwid2luZG93X3NlY29uZHMiOjYwLCJsYXRlIjpmYWxzZX0="},
    {{.start_s = START_S, .length_s = 60, .count = 123},
     "eyJ1bmlxdWVfcmVxdWVzdF9jb3VudCI6MTIzLCJ3aW5kb3dfc3RhcnQiOiIyMDI2LTAxLTAy"
     "VDAzOjA0OjAwWiIsIndpbmRvd19zZWNvbmRzIjo2MCwibGF0ZSI6ZmFsc2V9"},
};

static void
test_body(void **state)
{
    char body[KINESIS_CLIENT_BODY_SIZE], wanted[KINESIS_CLIENT_BODY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        size_t len = kinesis_client_body(body, "a.b", &bodies[i].record);

        snprintf(wanted, sizeof(wanted),
                 "{\"StreamName\":\"a.b\",\"PartitionKey\":"
                 "\"2026-01-02T03:04:00Z\",\"Data\":\"%s\"}",
                 bodies[i].data);
        if (len != strlen(wanted) || memcmp(body, wanted, len) != 0) {
            fail_msg("made %.*s\nnot  %s", (int)len, body, wanted);
        }
    }
}

static void
test_longest_body(void **state)
{
    static const struct window_record longest = {.start_s = START_S,
                                                 .length_s = INT64_MAX,
                                                 .count = INT64_MAX,
                                                 .late = true};
    char body[KINESIS_CLIENT_BODY_SIZE], stream[129];

    (void)state;
    memset(stream, 's', sizeof(stream) - 1);
    stream[128] = '\0';
    assert_in_range(kinesis_client_body(body, stream, &longest), 300,
                    KINESIS_CLIENT_BODY_SIZE - 1);
}

static const struct answer_row {
    long status;
    const char *body;
    enum kinesis_result result;
    const char *why;
} answers[] = {
    {200, "{\"SequenceNumber\":\"49\",\"ShardId\":\"shardId-0\"}",
     KINESIS_STORED, ""},
    {200, "<html>", KINESIS_REFUSED, "its answer is not Kinesis's"},
    {200, "", KINESIS_REFUSED, "its answer is not Kinesis's"},
    {200, "{\"SequenceNumber\":49}", KINESIS_REFUSED,
     "its answer is not Kinesis's"},
    {400,
     "{\"__type\":\"ProvisionedThroughputExceededException\","
     "\"message\":\"slow\"}",
     KINESIS_RETRY, "HTTP 400 ProvisionedThroughputExceededException: slow"},
    {400, "{\"__type\":\"com.amazonaws.kinesis#ThrottlingException\"}",
     KINESIS_RETRY, "HTTP 400 ThrottlingException: "},
    {400, "{\"__type\":\"LimitExceededException\"}", KINESIS_RETRY,
     "HTTP 400 LimitExceededException: "},
    {400,
     "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no stream\"}",
     KINESIS_REFUSED, "HTTP 400 ResourceNotFoundException: no stream"},
    {400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}",
     KINESIS_REFUSED, "HTTP 400 AccessDeniedException: no"},
    {403,
     "{\"__type\":\"InvalidSignatureException\",\"message\":\"x\\n\\nThe "
     "Canonical String was 'x-amz-security-token:secret'\"}",
     KINESIS_UNKNOWN, "HTTP 403 InvalidSignatureException: x"},
    {400, "{\"__type\":\"ExpiredTokenException\",\"message\":\"x\"}",
     KINESIS_UNKNOWN, "HTTP 400 ExpiredTokenException: x"},
    {400, "{\"__type\":\"a#UnrecognizedClientException\"}", KINESIS_UNKNOWN,
     "HTTP 400 UnrecognizedClientException: "},
    {400, "not json", KINESIS_REFUSED, "HTTP 400 : "},
    {302, "", KINESIS_REFUSED, "HTTP 302 : "},
    {429, "", KINESIS_RETRY, "HTTP 429 : "},
    {500, "{\"__type\":\"InternalFailure\"}", KINESIS_RETRY,
     "HTTP 500 InternalFailure: "},
    {503, "<html>", KINESIS_RETRY, "HTTP 503 : "},
};

static void
test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        const struct answer_row *row = &answers[i];
        char why[SINK_WHY_SIZE] = "";

        if (kinesis_answer_classify(row->status, row->body, strlen(row->body),
                                    why) != row->result ||
            strcmp(why, row->why) != 0) {
            fail_msg("%ld %s: %s", row->status, row->body, why);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_longest_body),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests_name("kinesis_client", tests, NULL, NULL);
}
