/*
 * test_payload: the bodies and targets of callbacks, by tables of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "callbacks/payload.h"

static struct payload
payload_of(int method, const char *query_param, const char *json_field)
{
    struct options options = {0};
    struct payload payload;

    options.callbacks.method = method;
    options.callbacks.query_param = (char *)query_param;
    options.callbacks.json_field = (char *)json_field;
    assert_int_equal(payload_init(&payload, &options), 0);
    return payload;
}

static void
test_bodies(void **state)
{
    static const struct {
        const char *field;
        int64_t count;
        const char *body;
    } rows[] = {
        {"unique_request_count", 1, "{\"unique_request_count\": 1}"},
        {"unique_request_count", INT64_MAX,
         "{\"unique_request_count\": 9223372036854775807}"},
        {"a\"b\\c\n%s", 7, "{\"a\\\"b\\\\c\\n%s\": 7}"},
        {"\xc3\xa9", 7, "{\"\xc3\xa9\": 7}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct payload payload = payload_of(CALLBACK_POST, "q", rows[i].field);
        char body[128];
        size_t size = payload_body_size(&payload);
        size_t len = payload_body(&payload, rows[i].count, body, sizeof(body));

        assert_string_equal(body, rows[i].body);
        assert_int_equal(len, strlen(body));
        assert_true(len < size);
        payload_fini(&payload);
    }
}

static void
test_a_field_that_is_no_text(void **state)
{
    struct options options = {0};
    struct payload payload;

    (void)state;
    options.callbacks.query_param = (char *)"q";
    options.callbacks.json_field = (char *)"\xff";
    assert_int_equal(payload_init(&payload, &options), -1);
}

static void
test_targets(void **state)
{
    static const struct {
        const char *url;
        const char *get; /* what a GET calls; NULL: can't be read */
        const char *host;
    } rows[] = {
        {"http://h", "http://h/?n=5", "h:80"},
        {"https://h/p", "https://h/p?n=5", "h:443"},
        {"http://h/p?", "http://h/p?n=5", "h:80"},
        {"http://h?a=b", "http://h/?a=b&n=5", "h:80"},
        {"http://h/p?a", "http://h/p?a&n=5", "h:80"},
        {"http://h/p?a=b&", "http://h/p?a=b&n=5", "h:80"},
        {"http://h/p??x=y?z", "http://h/p??x=y?z&n=5", "h:80"},
        {"http://h/p?n=1", "http://h/p?n=1&n=5", "h:80"},
        {"http://h/a/../b%2f%2F?x=%zz&y=a|b+c%20d",
         "http://h/a/../b%2f%2F?x=%zz&y=a|b+c%20d&n=5", "h:80"},
        {"http://127.1:81/", "http://127.0.0.1:81/?n=5", "127.0.0.1:81"},
        {"http://[::1]:99/x", "http://[::1]:99/x?n=5", "[::1]:99"},
        {"http://a b/", NULL, NULL},
        {"http://a%20b/", NULL, NULL},
        {"http://a%0ahost=b/", NULL, NULL},
    };
    struct payload get = payload_of(CALLBACK_GET, "n", "f");
    struct payload post = payload_of(CALLBACK_POST, "n", "f");
    struct payload_target target;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = payload_target(&get, rows[i].url, 5, &target);

        assert_int_equal(result, rows[i].get == NULL ? -1 : 0);
        if (result == 0) {
            assert_string_equal(target.url, rows[i].get);
            assert_string_equal(target.host, rows[i].host);
            payload_target_fini(&target);
            assert_int_equal(payload_target(&post, rows[i].url, 5, &target), 0);
            assert_string_equal(target.url, rows[i].url);
        }
        payload_target_fini(&target);
    }
    payload_fini(&get);
    payload_fini(&post);
}

static void
test_a_parameter_is_encoded(void **state)
{
    struct payload payload = payload_of(CALLBACK_GET, "a&b c", "f");
    struct payload_target target;

    (void)state;
    assert_int_equal(payload_target(&payload, "http://h/", 5, &target), 0);
    assert_string_equal(target.url, "http://h/?a%26b+c=5");
    payload_target_fini(&target);
    payload_fini(&payload);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_a_field_that_is_no_text),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_a_parameter_is_encoded),
    };

    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
