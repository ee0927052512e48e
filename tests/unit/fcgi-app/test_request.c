/*
 * test_request: the rules of docs/http.md for path, method, id and endpoint, by
 * tables of rows. Requests that the web server refuses by itself are tested end
 * to end.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "request.h"

#define ACCEPT "/api/verve/accept"
#define ZEROS_8 "00000000"
#define ZEROS_56 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8
#define ZEROS_63 ZEROS_56 "0000000"

static bool
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const char *
shown(const char *text)
{
    return text == NULL ? "-" : text;
}

static const struct {
    const char *method;
    const char *target;
    enum request_kind kind;
    bool head;
    int status;
} lines[] = {
    {"GET", ACCEPT "?id=7", REQUEST_ACCEPT, false, 200},
    {"HEAD", ACCEPT "?id=7", REQUEST_ACCEPT, true, 200},
    {"GET", "/healthz", REQUEST_HEALTHZ, false, 200},
    {"HEAD", "/healthz", REQUEST_HEALTHZ, true, 200},
    {"GET", "/healthz?id=x", REQUEST_HEALTHZ, false, 200},
    {"GET", "/readyz", REQUEST_READYZ, false, 200},
    {"POST", "/readyz", REQUEST_READYZ, false, 405},
    {"POST", ACCEPT "?id=7", REQUEST_ACCEPT, false, 405},
    {"POST", ACCEPT, REQUEST_ACCEPT, false, 405},
    {"PUT", ACCEPT "?id=x", REQUEST_ACCEPT, false, 405},
    {"OPTIONS", ACCEPT, REQUEST_ACCEPT, false, 405},
    {"get", ACCEPT "?id=7", REQUEST_ACCEPT, false, 405},
    {"GETT", ACCEPT "?id=7", REQUEST_ACCEPT, false, 405},
    {"", ACCEPT "?id=7", REQUEST_ACCEPT, false, 405},
    {"GET", "", REQUEST_UNKNOWN, false, 404},
    {"GET", "/", REQUEST_UNKNOWN, false, 404},
    {"GET", "?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "*", REQUEST_UNKNOWN, false, 404},
    {"GET", "/api/verve/", REQUEST_UNKNOWN, false, 404},
    {"GET", "/api/verve/accep?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", ACCEPT "X?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", ACCEPT "/?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", ACCEPT "#?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "/api/verve/Accept?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "//api/verve/accept?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "/api/verve/%61ccept?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "/api/verve/./accept?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "http://h" ACCEPT "?id=7", REQUEST_UNKNOWN, false, 404},
    {"GET", "/healthz/", REQUEST_UNKNOWN, false, 404},
    {"POST", "/nowhere", REQUEST_UNKNOWN, false, 404},
    {"HEAD", "/nowhere", REQUEST_UNKNOWN, true, 404},
};

static void
test_paths_and_methods(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct request request;

        request_parse(&request, lines[i].method, lines[i].target);
        if (request.kind != lines[i].kind || request.head != lines[i].head ||
            request.status != lines[i].status ||
            request.error != ERROR_CODE_NONE) {
            print_error("%s %s: kind %d, head %d, status %d, %s\n",
                        lines[i].method, lines[i].target, request.kind,
                        request.head, request.status,
                        shown(error_code_name(request.error)));
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static const struct {
    const char *query;
    const char *error; /* NULL: 200 */
    int64_t id;
} ids[] = {
    {"?id=7", NULL, 7},
    {"?id=+7", NULL, 7},
    {"?id=-7", NULL, -7},
    {"?id=007", NULL, 7},
    {"?id=-007", NULL, -7},
    {"?id=0", NULL, 0},
    {"?id=-0", NULL, 0},
    {"?id=9223372036854775807", NULL, INT64_MAX},
    {"?id=-9223372036854775808", NULL, INT64_MIN},
    {"?id=%37", NULL, 7},
    {"?id=%2B7", NULL, 7},
    {"?id=%2b7", NULL, 7},
    {"?id=%2D%37", NULL, -7},
    {"?%69d=7", NULL, 7},
    {"?%69%64=7", NULL, 7},
    {"?a=b&id=7", NULL, 7},
    {"?id=7&a=b", NULL, 7},
    {"?id=7&", NULL, 7},
    {"?&&id=7&&", NULL, 7},
    {"?id=7&ID=8", NULL, 7},
    {"?id=7&idd=8", NULL, 7},
    {"?id=7&i=8", NULL, 7},
    {"?id=7&id%00=8", NULL, 7},
    {"?id=7&%zz=8", NULL, 7},
    {"?id=7&i%6=8", NULL, 7},
    {"?id=7&a=%zz", NULL, 7},
    {"?id=7&a=%", NULL, 7},
    {"?id=7&id+=8", NULL, 7},
    {"?id=7&endpoints=x", NULL, 7},
    {"?id=7&=8", NULL, 7},
    {"?id=" ZEROS_63 "7", NULL, 7},
    {"?id=-" ZEROS_56 "000000%37", NULL, -7},

    {"", "id-missing", 0},
    {"?", "id-missing", 0},
    {"?&", "id-missing", 0},
    {"?ID=7", "id-missing", 0},
    {"?idd=7", "id-missing", 0},
    {"??id=7", "id-missing", 0},
    {"? id=7", "id-missing", 0},
    {"?i%zd=7", "id-missing", 0},
    {"?id%=7", "id-missing", 0},
    {"?a;id=7", "id-missing", 0},
    {"?%69%64%3D7", "id-missing", 0},
    {"?a=b%26id=7", "id-missing", 0},

    {"?id", "id-empty", 0},
    {"?id=", "id-empty", 0},
    {"?id&a=7", "id-empty", 0},
    {"?id=&a=7", "id-empty", 0},

    {"?id=7&id=7", "id-repeated", 0},
    {"?id=7&id=8", "id-repeated", 0},
    {"?id=7&id=", "id-repeated", 0},
    {"?id=7&id", "id-repeated", 0},
    {"?id&id", "id-repeated", 0},
    {"?id=7&%69d=8", "id-repeated", 0},
    {"?id=%zz&id=7", "id-repeated", 0},

    {"?id=%zz", "id-bad-escape", 0},
    {"?id=%", "id-bad-escape", 0},
    {"?id=%4", "id-bad-escape", 0},
    {"?id=7%4", "id-bad-escape", 0},
    {"?id=%3&a=7", "id-bad-escape", 0},
    {"?id=%3g", "id-bad-escape", 0},
    {"?id=%+7", "id-bad-escape", 0},
    {"?id=%u0037", "id-bad-escape", 0},
    {"?id=" ZEROS_63 "00%", "id-bad-escape", 0},

    {"?id=" ZEROS_63 "07", "id-too-long", 0},
    {"?id=-" ZEROS_63 "7", "id-too-long", 0},
    {"?id=" ZEROS_63 "a%37", "id-too-long", 0},

    {"?id=a", "id-not-an-integer", 0},
    {"?id=+", "id-not-an-integer", 0},
    {"?id=-", "id-not-an-integer", 0},
    {"?id=+-7", "id-not-an-integer", 0},
    {"?id=%207", "id-not-an-integer", 0},
    {"?id= 7", "id-not-an-integer", 0},
    {"?id=7%20", "id-not-an-integer", 0},
    {"?id=7+", "id-not-an-integer", 0},
    {"?id=7.0", "id-not-an-integer", 0},
    {"?id=7e0", "id-not-an-integer", 0},
    {"?id=0x7", "id-not-an-integer", 0},
    {"?id=7%00", "id-not-an-integer", 0},
    {"?id=%00", "id-not-an-integer", 0},
    {"?id=%007", "id-not-an-integer", 0},
    {"?id=7%0A", "id-not-an-integer", 0},
    {"?id=7%0d%0a", "id-not-an-integer", 0},
    {"?id=7\r\n", "id-not-an-integer", 0},
    {"?id==7", "id-not-an-integer", 0},
    {"?id=7=7", "id-not-an-integer", 0},
    {"?id=7?id=8", "id-not-an-integer", 0},
    {"?id=7;a=b", "id-not-an-integer", 0},
    {"?id=7#f", "id-not-an-integer", 0},
    {"?id=%2537", "id-not-an-integer", 0},
    {"?id=%EF%BC%97", "id-not-an-integer", 0},
    {"?id=\xEF\xBC\x97", "id-not-an-integer", 0},
    {"?id=%C3%A9", "id-not-an-integer", 0},
    {"?id=9223372036854775808a", "id-not-an-integer", 0},

    {"?id=9223372036854775808", "id-out-of-range", 0},
    {"?id=+9223372036854775808", "id-out-of-range", 0},
    {"?id=-9223372036854775809", "id-out-of-range", 0},
    {"?id=18446744073709551616", "id-out-of-range", 0},
};

static void
test_ids(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        int status = ids[i].error == NULL ? 200 : 400;
        struct request request;
        char target[256];

        snprintf(target, sizeof(target), ACCEPT "%s", ids[i].query);
        request_parse(&request, "GET", target);
        if (request.status != status ||
            !same(error_code_name(request.error), ids[i].error) ||
            (status == 200 && request.id != ids[i].id) ||
            request.endpoint != NULL) {
            print_error("%s: %d %s, id %" PRId64 ", endpoint %s\n",
                        ids[i].query, request.status,
                        shown(error_code_name(request.error)), request.id,
                        shown(request.endpoint));
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static const struct {
    const char *query;
    const char *error;    /* NULL: 200 */
    const char *endpoint; /* NULL: none */
} endpoints[] = {
    {"?id=7&endpoint=http%3A%2F%2Fh%2Fp", NULL, "http://h/p"},
    {"?endpoint=http%3A%2F%2Fh%2Fp&id=7", NULL, "http://h/p"},
    {"?id=7&%65ndpoint=http://h", NULL, "http://h"},
    {"?id=7&endpoint=http://h/p", NULL, "http://h/p"},
    {"?id=7&endpoint=http://h/p?a=b", NULL, "http://h/p?a=b"},
    {"?id=7&endpoint=http://h/p?a=b?c", NULL, "http://h/p?a=b?c"},
    {"?id=7&endpoint=http://h/p?a=b&c=d", NULL, "http://h/p?a=b"},
    {"?id=7&endpoint=http://h/p%3Fa=b%26c=d", NULL, "http://h/p?a=b&c=d"},
    {"?id=7&endpoint=http://h/a+b", NULL, "http://h/a+b"},
    {"?id=7&endpoint=http://h/a%2Bb", NULL, "http://h/a+b"},
    {"?id=7&endpoint=http://h/a%2520b", NULL, "http://h/a%20b"},
    {"?id=7&endpoint=http://h/%25zz", NULL, "http://h/%zz"},
    {"?id=7&endpoint=http://h/p%23f", NULL, "http://h/p"},
    {"?id=7&endpoint=http://h/p#f", NULL, "http://h/p"},
    {"?id=7&endpoint=HTTPS://[::1]:8080", NULL, "HTTPS://[::1]:8080"},

    {"?id=7&endpoint", NULL, NULL},
    {"?id=7&endpoint=", NULL, NULL},
    {"?id=7&endpoint=&a=b", NULL, NULL},
    {"?id=7&Endpoint=x", NULL, NULL},
    {"?id=7&endpointx=x", NULL, NULL},
    {"?id=7&endpoin=x", NULL, NULL},
    {"?id=7&endpoint%=x", NULL, NULL},

    {"?id=7&endpoint=http://h&endpoint=http://h", "endpoint-repeated", NULL},
    {"?id=7&endpoint=&endpoint=http://h", "endpoint-repeated", NULL},
    {"?id=7&endpoint&endpoint", "endpoint-repeated", NULL},
    {"?id=7&endpoint=%", "endpoint-bad-escape", NULL},
    {"?id=7&endpoint=http://h/%4", "endpoint-bad-escape", NULL},
    {"?id=7&endpoint=http://h/%zz", "endpoint-bad-escape", NULL},
    {"?id=7&endpoint=http://h/%4&a=b", "endpoint-bad-escape", NULL},
    {"?id=7&endpoint=http://h/%00", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=%00", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=http://h/%0D%0AHost:x", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=http://h/%20", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=http://h/a b", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=http://h/\xC3\xA9", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=http://h/%C3%A9", "endpoint-bad-byte", NULL},
    {"?id=7&endpoint=/p", "endpoint-not-absolute", NULL},
    {"?id=7&endpoint=h:80", "endpoint-not-absolute", NULL},
    {"?id=7&endpoint=http:/h", "endpoint-not-absolute", NULL},
    {"?id=7&endpoint=ftp://h", "endpoint-bad-scheme", NULL},
    {"?id=7&endpoint=http:///h", "endpoint-no-host", NULL},
    {"?id=7&endpoint=http://u:p@h", "endpoint-credentials", NULL},
    {"?id=7&endpoint=http://u%40h", "endpoint-credentials", NULL},
    {"?id=7&endpoint=http://h:0", "endpoint-bad-port", NULL},
    {"?id=7&endpoint=http://[fe80::1%25eth0]", "endpoint-zone-id", NULL},
    {"?id=7&endpoint=http://[::1", "endpoint-bad-host", NULL},
    {"?id=7&endpoint=http://|", "endpoint-bad-host", NULL},
    {"?id=7&endpoint=http://%7C", "endpoint-bad-host", NULL},
    {"?id=7&endpoint=http://%257C", "endpoint-bad-host", NULL},
    {"?id=7&endpoint=http://%25", "endpoint-bad-host", NULL},

    {"?id=x&endpoint=x", "id-not-an-integer", NULL},
    {"?endpoint=http://h", "id-missing", NULL},
    {"?id=7&endpoint=http://h?&id=8", "id-repeated", NULL},
};

static void
test_endpoints(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        int status = endpoints[i].error == NULL ? 200 : 400;
        struct request request;
        char target[256];

        snprintf(target, sizeof(target), ACCEPT "%s", endpoints[i].query);
        request_parse(&request, "GET", target);
        if (request.status != status ||
            !same(error_code_name(request.error), endpoints[i].error) ||
            !same(request.endpoint, endpoints[i].endpoint) ||
            (request.endpoint != NULL &&
             request.endpoint_len != strlen(request.endpoint))) {
            print_error("%s: %d %s, endpoint %s\n", endpoints[i].query,
                        request.status, shown(error_code_name(request.error)),
                        shown(request.endpoint));
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/*
 * A target whose endpoint has len bytes after decoding, each written as escape.
 */
static const char *
long_target(size_t len, const char *escape)
{
    static char target[3 * (ENDPOINT_URL_MAX_BYTES + 64) + 64];
    char *end = stpcpy(target, ACCEPT "?id=7&endpoint=http://h/");

    for (size_t i = strlen("http://h/"); i < len; i++) {
        end = stpcpy(end, escape);
    }
    return target;
}

static void
test_long_endpoints(void **state)
{
    struct request request;

    (void)state;
    request_parse(&request, "GET", long_target(ENDPOINT_URL_MAX_BYTES, "a"));
    assert_int_equal(request.status, 200);
    assert_int_equal(request.endpoint_len, ENDPOINT_URL_MAX_BYTES);
    request_parse(&request, "GET", long_target(ENDPOINT_URL_MAX_BYTES, "%61"));
    assert_int_equal(request.status, 200);
    assert_int_equal(request.endpoint_len, ENDPOINT_URL_MAX_BYTES);
    request_parse(&request, "GET",
                  long_target(ENDPOINT_URL_MAX_BYTES + 1, "a"));
    assert_int_equal(request.error, ERROR_CODE_ENDPOINT_TOO_LONG);
    request_parse(&request, "GET",
                  long_target(ENDPOINT_URL_MAX_BYTES + 50, "%61"));
    assert_int_equal(request.error, ERROR_CODE_ENDPOINT_TOO_LONG);
}

/* A struct is used again for the next request. */
static void
test_nothing_is_left_over(void **state)
{
    struct request request;

    (void)state;
    request_parse(&request, "HEAD", ACCEPT "?id=7&endpoint=http://h");
    assert_non_null(request.endpoint);
    request_parse(&request, "GET", ACCEPT "?id=8");
    assert_null(request.endpoint);
    assert_int_equal(request.endpoint_len, 0);
    assert_false(request.head);
    assert_int_equal(request.id, 8);
}

/* `verbose` is a parameter of /readyz alone, with a value or without. */
static void
test_verbose(void **state)
{
    static const struct {
        const char *target;
        bool verbose;
    } targets[] = {
        {"/readyz", false},
        {"/readyz?", false},
        {"/readyz?verbose", true},
        {"/readyz?verbose=0", true},
        {"/readyz?a=b&verbose", true},
        {"/readyz?%76erbose", true},
        {"/readyz?&&verbose&", true},
        {"/readyz?verbos", false},
        {"/readyz?verbose2", false},
        {"/readyz?a=verbose", false},
        {"/readyz?%zz&verbose", true},
        {"/healthz?verbose", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct request request = {.verbose = true};

        request_parse(&request, "GET", targets[i].target);
        assert_int_equal(request.status, 200);
        if (request.verbose != targets[i].verbose) {
            fail_msg("%s", targets[i].target);
        }
    }
}

static void
test_accept(void **state)
{
    static const struct {
        const char *accept;
        bool json;
    } headers[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/html,application/xhtml+xml", false},
        {"application/json", true},
        {"text/html, Application/JSON;q=0.5", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct request request = {0};

        request_set_accept(&request, headers[i].accept);
        assert_int_equal(request.json, headers[i].json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_long_endpoints),
        cmocka_unit_test(test_nothing_is_left_over),
        cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_accept),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
