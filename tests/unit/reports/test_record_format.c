/*
 * record_format: the exact bytes of the report contract, and reading them back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reports/record_format.h"

/* 2026-01-02T03:04:00Z, and the time of the line, 60.123 s later. */
#define START_S INT64_C(1767323040)
#define NOW_MS (START_S * 1000 + 60123)

#define TEXT "2026-01-02T03:05:00.123Z "
#define TEXT_INFO TEXT "INFO Unique requests in the last minute: "
#define TEXT_10_S TEXT "INFO Unique requests in the last 10 seconds: "
#define SYSLOG "Unique requests in the last minute: "
#define SYSLOG_WINDOW " window=2026-01-02T03:04:00Z window_seconds="
#define JSON_WINDOW "\"window_start\":\"2026-01-02T03:04:00Z\""

static const struct row {
    struct window_record record;
    const char *text;
    const char *json;
    const char *syslog;
} rows[] = {
    {{.start_s = START_S, .length_s = 60, .count = 42},
     TEXT_INFO "42 window=2026-01-02T03:04:00Z",
     "{\"unique_request_count\":42," JSON_WINDOW
     ",\"window_seconds\":60,\"late\":false}",
     SYSLOG "42" SYSLOG_WINDOW "60 late=false"},
    {{.start_s = START_S, .length_s = 1, .count = 0},
     TEXT "INFO Unique requests in the last 1 seconds: 0"
          " window=2026-01-02T03:04:00Z",
     "{\"unique_request_count\":0," JSON_WINDOW
     ",\"window_seconds\":1,\"late\":false}",
     "Unique requests in the last 1 seconds: 0" SYSLOG_WINDOW "1 late=false"},
    {{.start_s = START_S, .length_s = 10, .count = 5, .late = true},
     TEXT_10_S "5 window=2026-01-02T03:04:00Z late",
     "{\"unique_request_count\":5," JSON_WINDOW
     ",\"window_seconds\":10,\"late\":true}",
     "Unique requests in the last 10 seconds: 5" SYSLOG_WINDOW "10 late=true"},
    {{.start_s = START_S, .length_s = 86400, .gap = true},
     TEXT "WARN Unique requests in the last 86400 seconds: unknown"
          " window=2026-01-02T03:04:00Z gap",
     "{\"unique_request_count\":null," JSON_WINDOW
     ",\"window_seconds\":86400,\"late\":false,\"gap\":true}",
     "Unique requests in the last 86400 seconds: unknown" SYSLOG_WINDOW
     "86400 late=false gap=true"},
    {{.start_s = START_S, .length_s = 60, .count = INT64_MAX, .late = true},
     TEXT_INFO "9223372036854775807 window=2026-01-02T03:04:00Z late",
     "{\"unique_request_count\":9223372036854775807," JSON_WINDOW
     ",\"window_seconds\":60,\"late\":true}",
     SYSLOG "9223372036854775807" SYSLOG_WINDOW "60 late=true"},
    {{.start_s = START_S, .length_s = 60, .count = 7, .gap = true},
     TEXT "WARN Unique requests in the last minute: unknown"
          " window=2026-01-02T03:04:00Z gap",
     "{\"unique_request_count\":null," JSON_WINDOW
     ",\"window_seconds\":60,\"late\":false,\"gap\":true}",
     SYSLOG "unknown" SYSLOG_WINDOW "60 late=false gap=true"},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

static void
check(const char *made, size_t len, const char *wanted)
{
    int64_t start_s = 0;

    if (len != strlen(wanted) || memcmp(made, wanted, len) != 0) {
        fail_msg("made %.*s\nnot  %s", (int)len, made, wanted);
    }
    assert_int_equal(record_format_window(made, len, &start_s), 0);
    assert_int_equal(start_s, START_S);
}

static void
test_text(void **state)
{
    char text[RECORD_FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        check(text, record_format_text(text, &rows[i].record, NOW_MS),
              rows[i].text);
    }
}

static void
test_json(void **state)
{
    char json[RECORD_FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        check(json, record_format_json(json, &rows[i].record), rows[i].json);
    }
}

static void
test_syslog(void **state)
{
    char text[RECORD_FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        check(text, record_format_syslog(text, &rows[i].record),
              rows[i].syslog);
    }
}

static void
test_what_is_no_record(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "{}",
        "hello",
        "window=2026-01-02T03:04:00Z",
        "a note on window=2026-01-02T03:04:00Z",
        TEXT_INFO "42",
        TEXT_10_S "42",
        TEXT_INFO "42 window=",
        TEXT_INFO "42 window=2026-01-02T03:04:0",
        TEXT_INFO "42 window=2026-13-02T03:04:00Z",
        TEXT_INFO "42 window=2026-01-02T03:04:00Zlate",
        "{\"window_start\":\"",
        "{\"window_start\":\"2026-01-02T03:04:00\"}",
        "{\"window_start\":1767323040}",
    };
    int64_t start_s = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        if (record_format_window(lines[i], strlen(lines[i]), &start_s) != -1 ||
            start_s != 5) {
            fail_msg("taken for a record: %s", lines[i]);
        }
    }
}

/* No byte after the line is read. */
static void
test_length_is_kept(void **state)
{
    static const char line[] = TEXT_INFO "4 window=2026-01-02T03:04:00Z";
    int64_t start_s = 5;

    (void)state;
    assert_int_equal(record_format_window(line, strlen(line) - 1, &start_s),
                     -1);
    assert_int_equal(record_format_window(line, strlen(TEXT_INFO), &start_s),
                     -1);
    assert_int_equal(start_s, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_length_is_kept),
    };

    return cmocka_run_group_tests_name("record_format", tests, NULL, NULL);
}
