/*
 * reply_limit: arrays of a reply, by RESP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "redis/reply_limit.h"

static const struct {
    const char *before; /* arrays around it */
    int elements;
    int result;
} rows[] = {
    {"", REPLY_LIMIT_ELEMENTS, REDIS_OK},
    {"", REPLY_LIMIT_ELEMENTS + 1, REDIS_ERR},
    {"", INT32_MAX, REDIS_ERR},
    {"*1\r\n", REPLY_LIMIT_ELEMENTS, REDIS_OK},
    {"*2\r\n*1\r\n", INT32_MAX, REDIS_ERR},
};

static void
test_large_arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        redisReader *reader = redisReaderCreate();
        void *reply = NULL;
        char text[64];
        int len = snprintf(text, sizeof(text), "%s*%d\r\n", rows[i].before,
                           rows[i].elements);

        reply_limit_set(reader);
        assert_int_equal(redisReaderFeed(reader, text, (size_t)len), REDIS_OK);
        assert_int_equal(redisReaderGetReply(reader, &reply), rows[i].result);
        assert_null(reply); /* an error, or its elements have not come */
        redisReaderFree(reader);
    }
}

static void
test_other_replies(void **state)
{
    static const char text[] = "*3\r\n:7\r\n$2\r\nab\r\n*0\r\n";
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    (void)state;
    reply_limit_set(reader);
    assert_int_equal(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_int_equal(((redisReply *)reply)->elements, 3);
    assert_string_equal(((redisReply *)reply)->element[1]->str, "ab");
    freeReplyObject(reply);
    redisReaderFree(reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_arrays),
        cmocka_unit_test(test_other_replies),
    };

    return cmocka_run_group_tests_name("reply_limit", tests, NULL, NULL);
}
