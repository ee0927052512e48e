/*
 * test_aws_sigv4: signatures against vectors of AWS's own test suite for
 * Signature Version 4 (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4),
 * restricted to vectors with a canonical path, query and headers. Their names
 * are the suite's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reports/aws_sigv4.h"

#define HOST "host", "example.amazonaws.com"
#define DATE "x-amz-date", "20150830T123600Z"

static const struct aws_sigv4_signer signer = {
    .access_key = "AKIDEXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "service",
};

enum { HEADERS_MAX = 5 };

static const struct row {
    const char *name; /* in the suite */
    const char *method, *path, *query;
    struct aws_sigv4_header headers[HEADERS_MAX];
    const char *body;
    const char *signed_headers;
    const char *signature;
} rows[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     {{HOST}, {DATE}},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla",
     "POST",
     "/",
     "",
     {{HOST}, {DATE}},
     "",
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     {{HOST}, {DATE}},
     "",
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param1=value1&Param2=value2",
     {{HOST}, {DATE}},
     "",
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"post-header-value-case",
     "POST",
     "/",
     "",
     {{HOST}, {"my-header1", "VALUE1"}, {DATE}},
     "",
     "host;my-header1;x-amz-date",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"get-vanilla-with-session-token",
     "GET",
     "/",
     "",
     {{HOST},
      {DATE},
      {"x-amz-security-token",
       "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
     "",
     "host;x-amz-date;x-amz-security-token",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     {{"content-length", "13"},
      {"content-type", "application/x-www-form-urlencoded"},
      {HOST},
      {"x-amz-content-sha256",
       "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"},
      {DATE}},
     "Param1=value1",
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static char *
authorize(const struct row *row)
{
    struct aws_sigv4_request request = {
        .method = row->method,
        .path = row->path,
        .query = row->query,
        .headers = row->headers,
        .body = row->body,
        .body_len = strlen(row->body),
    };

    while (request.header_count < HEADERS_MAX &&
           row->headers[request.header_count].name != NULL) {
        request.header_count++;
    }
    return aws_sigv4_authorization(&request, &signer);
}

static void
test_vectors(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        char *value = authorize(row), wanted[512];

        snprintf(wanted, sizeof(wanted),
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"
                 "service/aws4_request, SignedHeaders=%s, Signature=%s",
                 row->signed_headers, row->signature);
        if (value == NULL || strcmp(value, wanted) != 0) {
            print_error("%s: %s\n", row->name, value == NULL ? "NULL" : value);
            failed++;
        }
        free(value);
    }
    assert_int_equal(failed, 0);
}

static void
test_without_date(void **state)
{
    static const struct row bad[] = {
        {.headers = {{HOST}}},
        {.headers = {{HOST}, {"x-amz-date", ""}}},
        {.headers = {{HOST}, {"x-amz-date", "2015-08-30T12:36:00Z"}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct row row = bad[i];

        row.method = "GET";
        row.path = "/";
        row.query = row.body = "";
        assert_null(authorize(&row));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_without_date),
    };

    return cmocka_run_group_tests_name("aws_sigv4", tests, NULL, NULL);
}
