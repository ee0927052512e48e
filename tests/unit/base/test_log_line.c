/*
 * test_log_line: whatever bytes a value has, its line is read back by jansson
 * (JSON, and the quoted values of logfmt), and has no byte that could end it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log_line.h"

#define REPLACED "\xEF\xBF\xBD" /* U+FFFD */

enum { ROUNDS = 20000 };

/* Ends the line, and copies it without its newline. */
static void
end(struct log_line *line, char text[LOG_LINE_SIZE])
{
    log_line_end(line);
    assert_in_range(line->len, 1, LOG_LINE_SIZE);
    assert_int_equal(line->bytes[line->len - 1], '\n');
    memcpy(text, line->bytes, line->len - 1);
    text[line->len - 1] = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        assert_false((unsigned char)*at < ' ' || *at == 0x7F);
    }
}

/* Reads the value of logfmt at *at, and moves *at behind it. */
static json_t *
read_bare_or_quoted(const char **at)
{
    const char *from = *at;
    json_t *value;

    if (*from != '"') {
        *at += strcspn(from, " \"=\\");
        return json_stringn(from, (size_t)(*at - from));
    }
    do {
        *at += **at == '\\' ? 2 : 1;
        assert_int_not_equal(**at, '\0');
    } while (**at != '"');
    ++*at;
    value = json_loadb(from, (size_t)(*at - from), JSON_DECODE_ANY, NULL);
    return value;
}

/* A line of logfmt as an object of texts. */
static json_t *
read_logfmt(const char *text)
{
    json_t *object = json_object();
    const char *at = text;

    for (;;) {
        const char *key = at;
        char name[64];

        at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        assert_int_equal(*at, '=');
        snprintf(name, sizeof(name), "%.*s", (int)(at - key), key);
        assert_null(json_object_get(object, name));
        at++;
        assert_int_equal(
            json_object_set_new(object, name, read_bare_or_quoted(&at)), 0);
        if (*at == '\0') {
            return object;
        }
        assert_int_equal(*at++, ' ');
    }
}

static json_t *
read_line(enum log_format format, const char *text)
{
    json_t *object = format == LOG_JSON
                         ? json_loads(text, JSON_REJECT_DUPLICATES, NULL)
                         : read_logfmt(text);

    if (!json_is_object(object)) {
        fail_msg("not read: %s", text);
    }
    return object;
}

/* A value, a message and a key behind them, in both formats: what is read. */
static void
check(const char *written, const char *read)
{
    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        struct log_line line;
        char text[LOG_LINE_SIZE];
        json_t *object;

        log_line_begin(&line, (enum log_format)format);
        log_line_message(&line, written);
        log_line_text(&line, "value", written);
        log_line_number(&line, "number", -7);
        end(&line, text);
        object = read_line(line.format, text);
        assert_int_equal(json_object_size(object), 3);
        assert_string_equal(json_string_value(json_object_get(object, "msg")),
                            read);
        assert_string_equal(json_string_value(json_object_get(object, "value")),
                            read);
        json_decref(object);
    }
}

static void
test_each_byte(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char alone[] = {(char)byte, '\0'};
        const char between[] = {'a', (char)byte, 'b', '\0'};

        check(alone, byte < 0x80 ? alone : REPLACED);
        check(between, byte < 0x80 ? between : "a" REPLACED "b");
    }
}

static void
test_characters(void **state)
{
    static const struct {
        const char *written;
        const char *read; /* NULL: the same */
    } rows[] = {
        {"", NULL},
        {"-", NULL},
        {"a=b", NULL},
        {"\" level=error msg=\"x", NULL},
        {"\\", NULL},
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF", NULL},
        {"\xC2\x9B"
         "31m",
         NULL},                              /* CSI, a C1 control */
        {"\xE2\x80\xA8 \xE2\x80\xAE", NULL}, /* LS, RLO */
        {"\xC0\xAF", REPLACED REPLACED},     /* too long for a slash */
        {"\xE0\x80\xAF", REPLACED REPLACED REPLACED},
        {"\xED\xA0\x80", REPLACED REPLACED REPLACED}, /* a surrogate */
        {"\xF4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED},
        {"\xE2\x82", REPLACED REPLACED}, /* cut */
        {"\xE2\x82\"", REPLACED REPLACED "\""},
        {"\x80", REPLACED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(rows[i].written,
              rows[i].read == NULL ? rows[i].written : rows[i].read);
    }
}

/* The exact bytes. */
static void
test_formats(void **state)
{
    static const char *const lines[] = {
        [LOG_LOGFMT] = "host=h:1 note=\"a b\" msg=\"x\" turn=\"\\u202e\\n\" "
                       "none=\"\" count=7",
        [LOG_JSON] = "{\"host\":\"h:1\",\"note\":\"a b\",\"msg\":\"x\","
                     "\"turn\":\"\\u202e\\n\",\"none\":\"\",\"count\":7}",
    };

    (void)state;
    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        struct log_line line;
        char text[LOG_LINE_SIZE];

        log_line_begin(&line, (enum log_format)format);
        log_line_text(&line, "host", "h:1");
        log_line_text(&line, "note", "a b");
        log_line_message(&line, "x");
        log_line_text(&line, "turn", "\xE2\x80\xAE\n");
        log_line_text(&line, "none", "");
        log_line_number(&line, "count", 7);
        end(&line, text);
        assert_string_equal(text, lines[format]);
    }
}

static int
random_byte(void)
{
    static const char often[] = "\"\\=\n\xE2\x80\xA8\xC2 {}\xF0\x9F";

    return rand() % 2 == 0 ? often[rand() % (int)(sizeof(often) - 1)]
                           : rand() % 255 + 1;
}

/* Lines of random bytes that are mostly too long. */
static void
test_random_bytes(void **state)
{
    (void)state;
    srand(15);
    for (int round = 0; round < ROUNDS; round++) {
        struct log_line line;
        char text[LOG_LINE_SIZE];
        char value[2 * LOG_LINE_SIZE];
        char key[] = "a";
        json_t *object;

        log_line_begin(&line, rand() % 2 == 0 ? LOG_LOGFMT : LOG_JSON);
        do {
            size_t len = (size_t)rand() % (rand() % 4 == 0 ? 6000 : 200);

            for (size_t i = 0; i < len; i++) {
                value[i] = (char)random_byte();
            }
            value[len] = '\0';
            log_line_text(&line, key, value);
        } while (key[0]++ < 'p');
        end(&line, text);
        object = read_line(line.format, text);
        assert_true(json_object_size(object) > 0);
        json_decref(object);
    }
}

/* A message that is too long leaves room for the keys behind it. */
static void
test_a_long_message_is_cut(void **state)
{
    static const char *const fills[] = {"a", "\n", "\xFF", "\xF0\x9F\x98\x80"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(fills) / sizeof(fills[0]); i++) {
        const char *fill = fills[i / 2];
        struct log_line line;
        char text[LOG_LINE_SIZE];
        char message[2 * LOG_LINE_SIZE] = "";
        json_t *object;

        while (strlen(message) + strlen(fill) < sizeof(message)) {
            strcat(message, fill);
        }
        log_line_begin(&line, i % 2 == 0 ? LOG_LOGFMT : LOG_JSON);
        log_line_message(&line, message);
        log_line_number(&line, "behind", 1);
        log_line_text(&line, "rest", message);
        log_line_number(&line, "nothing", 1);
        end(&line, text);
        assert_in_range(strlen(text), LOG_LINE_SIZE - 16, LOG_LINE_SIZE);
        object = read_line(line.format, text);
        assert_int_equal(json_object_size(object), 3);
        assert_non_null(json_object_get(object, "behind"));
        json_decref(object);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_a_long_message_is_cut),
    };

    return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}
