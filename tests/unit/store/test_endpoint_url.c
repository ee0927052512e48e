/*
 * test_endpoint_url: which URLs may be endpoints, by a table of rows: our own
 * rules, and URLs that libcurl's parser would accept and we do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/endpoint_url.h"

/* Text with its length, NUL bytes included. */
#define T(literal) literal, sizeof(literal) - 1

#define LABEL_21 "aaaaaaaaaaaaaaaaaaaaa"
#define LABEL_63 LABEL_21 LABEL_21 LABEL_21
#define NAME_253                                                               \
    LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_21 LABEL_21 "."               \
             "aaaaaaaaaaaaaaaaaa"

static const struct row {
    const char *url;
    size_t len;
    const char *rule;
    const char *kept; /* the URL after the check; NULL: unchanged */
} rows[] = {
    {T("http://h"), NULL, NULL},
    {T("http://h/"), NULL, NULL},
    {T("https://h.example/p"), NULL, NULL},
    {T("HTTP://H/P"), NULL, NULL},
    {T("hTTpS://h"), NULL, NULL},
    {T("http://h?a=b"), NULL, NULL},
    {T("http://h/p?a=b&c=d?e"), NULL, NULL},
    {T("http://h/p%20q?a=%C3%A9"), NULL, NULL},
    {T("http://h/@p"), NULL, NULL},
    {T("http://h?u@v"), NULL, NULL},
    {T("http://h:1"), NULL, NULL},
    {T("http://h:65535/"), NULL, NULL},
    {T("http://h:080/"), NULL, NULL},
    {T("http://h:/"), NULL, NULL},
    {T("http://127.0.0.1:8080/x"), NULL, NULL},
    {T("http://[::1]"), NULL, NULL},
    {T("http://[2001:db8::1]:8080/x"), NULL, NULL},
    {T("http://xn--mnchen-3ya.example/"), NULL, NULL},
    {T("http://_/"), NULL, NULL},
    {T("http://_a.b_c.example/"), NULL, NULL},
    {T("http://-a.example./"), NULL, NULL},
    {T("http://a%2Eexample/"), NULL, NULL},
    {T("http://%61%5fb/"), NULL, NULL},
    {T("http://127.1/"), NULL, NULL},
    {T("http://2130706433/"), NULL, NULL},
    {T("http://[::ffff:127.0.0.1]/"), NULL, NULL},
    {T("http://h/%|?%zz|"), NULL, NULL},
    {T("http://" LABEL_63 ".example/"), NULL, NULL},
    {T("http://" NAME_253 "./"), NULL, NULL},

    {T("http://h/p#"), NULL, "http://h/p"},
    {T("http://h/p#a#b"), NULL, "http://h/p"},
    {T("http://h#@evil/"), NULL, "http://h"},
    {T("http://h?a=b#c?d"), NULL, "http://h?a=b"},

    {T(""), "endpoint-not-absolute", NULL},
    {T("h"), "endpoint-not-absolute", NULL},
    {T("/p"), "endpoint-not-absolute", NULL},
    {T("//h/p"), "endpoint-not-absolute", NULL},
    {T("://h/p"), "endpoint-not-absolute", NULL},
    {T("h.example/p"), "endpoint-not-absolute", NULL},
    {T("h:80"), "endpoint-not-absolute", NULL},
    {T("http"), "endpoint-not-absolute", NULL},
    {T("http:"), "endpoint-not-absolute", NULL},
    {T("http:h"), "endpoint-not-absolute", NULL},
    {T("http:/h"), "endpoint-not-absolute", NULL},
    {T("http:\\\\h"), "endpoint-not-absolute", NULL},
    {T("mailto:a@h"), "endpoint-not-absolute", NULL},
    {T("?u=http://h"), "endpoint-not-absolute", NULL},
    {T("#http://h"), "endpoint-not-absolute", NULL},

    {T("ftp://h/"), "endpoint-bad-scheme", NULL},
    {T("file:///etc/passwd"), "endpoint-bad-scheme", NULL},
    {T("gopher://h/"), "endpoint-bad-scheme", NULL},
    {T("httpx://h/"), "endpoint-bad-scheme", NULL},
    {T("htt://h/"), "endpoint-bad-scheme", NULL},
    {T("unix:///s"), "endpoint-bad-scheme", NULL},

    {T("http://"), "endpoint-no-host", NULL},
    {T("http:///"), "endpoint-no-host", NULL},
    {T("http:///h"), "endpoint-no-host", NULL},
    {T("http:////h"), "endpoint-no-host", NULL},
    {T("http://?a"), "endpoint-no-host", NULL},
    {T("http://#a"), "endpoint-no-host", NULL},
    {T("http://:80/"), "endpoint-no-host", NULL},

    {T("http://u@h/"), "endpoint-credentials", NULL},
    {T("http://u:p@h/"), "endpoint-credentials", NULL},
    {T("http://:p@h/"), "endpoint-credentials", NULL},
    {T("http://@h/"), "endpoint-credentials", NULL},
    {T("http://a@b@h/"), "endpoint-credentials", NULL},
    {T("http://evil\\@h/"), "endpoint-credentials", NULL},

    {T("http://h:0/"), "endpoint-bad-port", NULL},
    {T("http://h:00000"), "endpoint-bad-port", NULL},
    {T("http://h:65536/"), "endpoint-bad-port", NULL},
    {T("http://h:99999999999999999999/"), "endpoint-bad-port", NULL},
    {T("http://h:http/"), "endpoint-bad-port", NULL},
    {T("http://h:-1/"), "endpoint-bad-port", NULL},
    {T("http://h:+80/"), "endpoint-bad-port", NULL},
    {T("http://h:80x/"), "endpoint-bad-port", NULL},
    {T("http://h:80:90/"), "endpoint-bad-port", NULL},
    {T("http://[::1]:0"), "endpoint-bad-port", NULL},

    {T("http://[fe80::1%25eth0]/"), "endpoint-zone-id", NULL},
    {T("http://[fe80::1%eth0]/"), "endpoint-zone-id", NULL},

    {T("http://[::1/"), "endpoint-bad-host", NULL},
    {T("http://[]/"), "endpoint-bad-host", NULL},
    {T("http://[h]/"), "endpoint-bad-host", NULL},
    {T("http://[::1]x/"), "endpoint-bad-port", NULL},
    {T("http://a\\b/"), "endpoint-bad-host", NULL},
    {T("http://a,b/"), "endpoint-bad-host", NULL},
    {T("http://a<b/"), "endpoint-bad-host", NULL},
    {T("http://a+b/"), "endpoint-bad-host", NULL},
    {T("http://a~b/"), "endpoint-bad-host", NULL},
    {T("http://|"), "endpoint-bad-host", NULL},
    {T("http://a|b:8080/"), "endpoint-bad-host", NULL},
    {T("http://%7C/"), "endpoint-bad-host", NULL},
    {T("http://a%7cb?q"), "endpoint-bad-host", NULL},
    {T("http://%"), "endpoint-bad-host", NULL},
    {T("http://a%/"), "endpoint-bad-host", NULL},
    {T("http://a%zz/"), "endpoint-bad-host", NULL},
    {T("http://a%2541/"), "endpoint-bad-host", NULL},
    {T("http://h%00/"), "endpoint-bad-host", NULL},
    {T("http://h%01/"), "endpoint-bad-host", NULL},
    {T("http://h%7f/"), "endpoint-bad-byte", NULL},
    {T("http://h%0d%0ax/"), "endpoint-bad-host", NULL},
    {T("http://a%20b/"), "endpoint-bad-host", NULL},
    {T("http://a%2fb/"), "endpoint-bad-host", NULL},
    {T("http://a%40b/"), "endpoint-bad-host", NULL},
    {T("http://./"), "endpoint-bad-host", NULL},
    {T("http://%2E/"), "endpoint-bad-host", NULL},
    {T("http://.a/"), "endpoint-bad-host", NULL},
    {T("http://a../"), "endpoint-bad-host", NULL},
    {T("http://a..b/"), "endpoint-bad-host", NULL},
    {T("http://a%2E.b/"), "endpoint-bad-host", NULL},
    {T("http://256.1.1.1/"), "endpoint-bad-host", NULL},
    {T("http://1.2.3.4.5/"), "endpoint-bad-host", NULL},
    {T("http://" LABEL_63 "a/"), "endpoint-bad-host", NULL},
    {T("http://" NAME_253 "a/"), "endpoint-bad-host", NULL},

    {T("http://h/a b"), "endpoint-bad-byte", NULL},
    {T(" http://h/"), "endpoint-bad-byte", NULL},
    {T("http://h/ "), "endpoint-bad-byte", NULL},
    {T("http://h/\r\nHost: x"), "endpoint-bad-byte", NULL},
    {T("http://h/\n"), "endpoint-bad-byte", NULL},
    {T("http://h/\t"), "endpoint-bad-byte", NULL},
    {T("http://h/\0/"), "endpoint-bad-byte", NULL},
    {T("http://h/\x7F"), "endpoint-bad-byte", NULL},
    {T("http://h/\xC3\xA9"), "endpoint-bad-byte", NULL},
    {T("http://m\xC3\xBCnchen/"), "endpoint-bad-byte", NULL},
    {T("http://m%C3%BCnchen/"), "endpoint-bad-byte", NULL},
    {T("http://h/#\xFF"), "endpoint-bad-byte", NULL},
};

static bool
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
test_rows(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        size_t kept = row->kept == NULL ? row->len : strlen(row->kept);
        size_t len = row->len;
        const char *rule = error_code_name(endpoint_url_check(row->url, &len));

        if (!same(rule, row->rule) || len != kept) {
            print_error("\"%s\": %s, %zu bytes\n", row->url,
                        rule == NULL ? "accepted" : rule, len);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void
test_length(void **state)
{
    char url[ENDPOINT_URL_MAX_BYTES + 2];
    size_t len = ENDPOINT_URL_MAX_BYTES;

    (void)state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://h/", 9);
    assert_int_equal(endpoint_url_check(url, &len), ERROR_CODE_NONE);
    assert_int_equal(len, ENDPOINT_URL_MAX_BYTES);
    len = ENDPOINT_URL_MAX_BYTES + 1;
    assert_int_equal(endpoint_url_check(url, &len),
                     ERROR_CODE_ENDPOINT_TOO_LONG);
}

/* As libcurl calls the host, however it is spelt. */
static void
test_host(void **state)
{
    static const struct {
        const char *url;
        const char *host;
    } hosts[] = {
        {"http://a.example/x", "a.example"},
        {"https://a.example:8443?q", "a.example"},
        {"http://%61.example/", "a.example"},
        {"http://127.1/", "127.0.0.1"},
        {"http://0x7f000001:80/", "127.0.0.1"},
        {"http://[2001:DB8:0::1]:80/", "[2001:db8::1]"},
    };
    char host[64];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        assert_true(endpoint_url_host(hosts[i].url, host, sizeof(host)));
        assert_string_equal(host, hosts[i].host);
    }
    assert_false(endpoint_url_host("http://a.example/", host, 9));
    assert_true(endpoint_url_host("http://a.example/", host, 10));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests_name("endpoint_url", tests, NULL, NULL);
}
