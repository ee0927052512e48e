/*
 * test_webhook_signature: signatures against published vectors and vectors by
 * another implementation (Python's hmac); secrets that can't be used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "callbacks/webhook_signature.h"

/* The vector of Svix's libraries and of Standard Webhooks' own. */
#define VECTOR_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define VECTOR "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

/* The bytes 0, 1, 2, ... */
#define KEY_23 "AAECAwQFBgcICQoLDA0ODxAREhMUFRY="
#define KEY_25 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA=="
#define KEY_26 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk="
#define KEY_48                                                                 \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
#define KEY_64 KEY_48 "MDEyMzQ1Njc4OTo7PD0+Pw=="
#define KEY_65 KEY_48 "MDEyMzQ1Njc4OTo7PD0+P0A="
#define KEY_68 KEY_48 "MDEyMzQ1Njc4OTo7PD0+P0BBQkM="

static const struct row {
    const char *secrets;
    const char *id;
    int64_t timestamp_s;
    const char *content;
    const char *value;
} rows[] = {
    {VECTOR_SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}", VECTOR},
    {"whsec_" KEY_25, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}",
     "v1,O6Os8pxiEeEz61IPEK5SMabYPFAPKauQxtXWfFUPYSs="},
    {"whsec_" KEY_26, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}",
     "v1,4L1JzQSicGDT54ByGMLnQ+0O1h/ZQ+YbSl3K8DScfnc="},
    {"whsec_" KEY_64, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}",
     "v1,LZ5zuwHTqQH3VM8ERUusjzVQq1FXzemvpR8Mk7Ivp5c="},
    {VECTOR_SECRET, "j", 0, "",
     "v1,z61mVNPaCiU0FS24VZESwkjpHeBWcJOlRMjhgJzH7r0="},
    {VECTOR_SECRET, "j", -1, "/p?unique_requests=3",
     "v1,v+FctAgDvLPMs0y4iydscy/43+N/9TQPvRquxXFGr4w="},
    {"whsec_" KEY_64 " " VECTOR_SECRET "\t  whsec_" KEY_25 " ",
     "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,LZ5zuwHTqQH3VM8ERUusjzVQq1FXzemvpR8Mk7Ivp5c= " VECTOR
     " v1,O6Os8pxiEeEz61IPEK5SMabYPFAPKauQxtXWfFUPYSs="},
};

static char *
make(const struct webhook_signature *signature, const struct row *row)
{
    struct webhook_signature_of of = {
        .id = row->id,
        .timestamp_s = row->timestamp_s,
        .content = row->content,
        .content_len = strlen(row->content),
    };
    char *value = malloc(webhook_signature_size(signature));

    assert_int_equal(webhook_signature_make(signature, &of, value), 0);
    return value;
}

/* Each row twice: no signature depends on the signature before. */
static void
test_rows(void **state)
{
    char why[WEBHOOK_SIGNATURE_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct webhook_signature *signature =
            webhook_signature_open(row->secrets, why);

        assert_non_null(signature);
        assert_int_equal(webhook_signature_size(signature),
                         strlen(row->value) + 1);
        for (int twice = 0; twice < 2; twice++) {
            char *value = make(signature, row);

            assert_string_equal(value, row->value);
            free(value);
        }
        webhook_signature_close(signature);
    }
}

#define NO_PREFIX "does not begin with whsec_"
#define NO_BASE64 "is not base64 (with padding) behind whsec_"
#define NO_LENGTH                                                              \
    "does not have the 24 to 64 bytes that Standard Webhooks wants"

static const struct bad_row {
    const char *secrets;
    const char *why;
} bad_rows[] = {
    {"", "there is none"},
    {" \t", "there is none"},
    {"secret", "number 1 " NO_PREFIX},
    {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "number 1 " NO_PREFIX},
    {"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "number 1 " NO_PREFIX},
    {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "number 1 " NO_PREFIX},
    {"whsec", "number 1 " NO_PREFIX},
    {"whsec_", "number 1 " NO_BASE64},
    {VECTOR_SECRET " hunter2", "number 2 " NO_PREFIX},
    {VECTOR_SECRET "," VECTOR_SECRET, "number 1 " NO_BASE64},
    {VECTOR_SECRET " " VECTOR_SECRET " whsec_hunter2", "number 3 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=w", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL===", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La====", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa\nw", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "number 1 " NO_BASE64},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa\xC3\xA9", "number 1 " NO_BASE64},
    /* The last characters have bits that belong to no byte. */
    {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGB==", "number 1 " NO_BASE64},
    {"whsec_aGk=", "number 1 " NO_LENGTH},
    {"whsec_" KEY_23, "number 1 " NO_LENGTH},
    {"whsec_" KEY_65, "number 1 " NO_LENGTH},
    {"whsec_" KEY_68, "number 1 " NO_LENGTH},
};

static void
test_bad_secrets(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        char why[WEBHOOK_SIGNATURE_WHY_SIZE] = "";
        struct webhook_signature *signature =
            webhook_signature_open(bad_rows[i].secrets, why);

        if (signature != NULL || errno != EINVAL ||
            strncmp(why, "callbacks.secret: ", 18) != 0 ||
            strcmp(why + 18, bad_rows[i].why) != 0) {
            print_error("\"%s\": \"%s\"\n", bad_rows[i].secrets, why);
            failed++;
        }
        webhook_signature_close(signature);
    }
    assert_int_equal(failed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bad_secrets),
    };

    return cmocka_run_group_tests_name("webhook_signature", tests, NULL, NULL);
}
