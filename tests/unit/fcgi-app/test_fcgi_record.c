/*
 * test_fcgi_record: which bytes are a complete FastCGI request. The rows are
 * written by hand, so that the test shares no code with the module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi_record.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define END "\1\4\0\1\0\0\0\0"
#define STDIN "\1\5\0\1\0\0\0\0"

struct row {
    const char *what;
    const char *bytes;
    size_t len;
    enum fcgi_record_extent extent;
};

#define ROW(what, bytes, extent)                                               \
    {                                                                          \
        what, bytes, sizeof(bytes) - 1, extent                                 \
    }

static const struct row rows[] = {
    ROW("nothing", "", FCGI_RECORD_PARTIAL),
    ROW("half a header", "\1\1\0\1", FCGI_RECORD_PARTIAL),
    ROW("begin only", BEGIN, FCGI_RECORD_PARTIAL),
    ROW("no parameters at all", BEGIN END, FCGI_RECORD_WHOLE),
    ROW("one parameter", BEGIN "\1\4\0\1\0\4\0\0\1\1ab" END, FCGI_RECORD_WHOLE),
    ROW("end of parameters missing", BEGIN "\1\4\0\1\0\4\0\0\1\1ab",
        FCGI_RECORD_PARTIAL),
    ROW("body behind it", BEGIN END STDIN, FCGI_RECORD_WHOLE),
    ROW("padding", BEGIN "\1\4\0\1\0\4\4\0\1\1abxxxx" END, FCGI_RECORD_WHOLE),
    ROW("padding missing", BEGIN "\1\4\0\1\0\4\4\0\1\1abxx",
        FCGI_RECORD_PARTIAL),
    ROW("a pair over two records",
        BEGIN "\1\4\0\1\0\3\0\0\1\1a\1\4\0\1\0\1\0\0b" END, FCGI_RECORD_WHOLE),
    ROW("lengths over two records",
        BEGIN "\1\4\0\1\0\1\0\0\1\1\4\0\1\0\3\0\0\1ab" END, FCGI_RECORD_WHOLE),
    ROW("a length of four bytes", BEGIN "\1\4\0\1\0\7\0\0\200\0\0\1\1ab" END,
        FCGI_RECORD_WHOLE),
    ROW("four bytes over two records",
        BEGIN "\1\4\0\1\0\2\0\0\200\0\1\4\0\1\0\5\0\0\0\1\1ab" END,
        FCGI_RECORD_WHOLE),
    ROW("empty name and value", BEGIN "\1\4\0\1\0\2\0\0\0\0" END,
        FCGI_RECORD_WHOLE),
    ROW("cut between name and value", BEGIN "\1\4\0\1\0\3\0\0\1\1a" END,
        FCGI_RECORD_BROKEN),
    ROW("cut in the lengths", BEGIN "\1\4\0\1\0\1\0\0\1" END,
        FCGI_RECORD_BROKEN),
    ROW("a length far beyond the stream",
        BEGIN "\1\4\0\1\0\5\0\0\377\377\377\377\1" END, FCGI_RECORD_BROKEN),
    ROW("another version", "\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0",
        FCGI_RECORD_BROKEN),
    ROW("no begin", END, FCGI_RECORD_BROKEN),
    ROW("begin twice", BEGIN BEGIN, FCGI_RECORD_BROKEN),
    ROW("begin of a wrong size", "\1\1\0\1\0\4\0\0\0\1\0\0",
        FCGI_RECORD_BROKEN),
    ROW("an authorizer", "\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0",
        FCGI_RECORD_BROKEN),
    ROW("another request's parameters", BEGIN "\1\4\0\2\0\0\0\0",
        FCGI_RECORD_BROKEN),
    ROW("standard input before the end", BEGIN STDIN, FCGI_RECORD_BROKEN),
    ROW("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", FCGI_RECORD_BROKEN),
};

static void
test_rows(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        enum fcgi_record_extent extent =
            fcgi_record_scan((const uint8_t *)row->bytes, row->len);

        if (extent != row->extent) {
            fail_msg("%s: %d", row->what, extent);
        }
    }
}

/* Every prefix of a complete request is partial. */
static void
test_prefixes(void **state)
{
    static const char whole[] = BEGIN "\1\4\0\1\0\4\4\0\1\1abxxxx"
                                      "\1\4\0\1\0\7\0\0\200\0\0\1\1ab" END;
    size_t len;

    (void)state;
    for (len = 0; len < sizeof(whole) - 1; len++) {
        assert_int_equal(fcgi_record_scan((const uint8_t *)whole, len),
                         FCGI_RECORD_PARTIAL);
    }
    assert_int_equal(fcgi_record_scan((const uint8_t *)whole, len),
                     FCGI_RECORD_WHOLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_prefixes),
    };

    return cmocka_run_group_tests_name("fcgi_record", tests, NULL, NULL);
}
