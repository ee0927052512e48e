/*
 * test_fcgi_record: what a connection's bytes mean, in whatever pieces they
 * come; and the records of an answer. The bytes are built by hand, so that the
 * parser and the tests share nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi_record.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define BEGIN_KEPT "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define BEGIN_2 "\1\1\0\2\0\10\0\0\0\1\1\0\0\0\0\0"
#define AB "\1\4\0\1\0\4\0\0\1\1ab" /* a=b */
#define CD "\1\4\0\1\0\4\0\0\1\1cd" /* c=d */
#define END "\1\4\0\1\0\0\0\0"
#define END_2 "\1\4\0\2\0\0\0\0"
#define STDIN "\1\5\0\1\0\0\0\0"
#define BODY "\1\5\0\1\0\3\5\0xyzppppp"
#define ABORT "\1\2\0\1\0\0\0\0"

struct row {
    const char *what;
    const char *bytes;
    size_t len;
    /* What comes of them: "[...]" a request with its parameters, "k" behind it
       if it is to be kept, "." more is needed, "!" broken, "+" a next request
       waits for the answer to this one (which then is given). */
    const char *meaning;
};

#define ROW(what, bytes, meaning)                                              \
    {                                                                          \
        what, bytes, sizeof(bytes) - 1, meaning                                \
    }

static const struct row rows[] = {
    ROW("nothing", "", "."),
    ROW("half a header", "\1\1\0\1", "."),
    ROW("begin only", BEGIN, "."),
    ROW("no parameters at all", BEGIN END, "[]."),
    ROW("one parameter", BEGIN AB END, "[a=b]."),
    ROW("two in two records", BEGIN AB CD END, "[a=b c=d]."),
    ROW("kept", BEGIN_KEPT AB END, "[a=b]k."),
    ROW("end of parameters missing", BEGIN AB, "."),
    ROW("the end of the body", BEGIN AB END STDIN, "[a=b]."),
    ROW("a body with padding", BEGIN AB END BODY BODY STDIN, "[a=b]."),
    ROW("padding", BEGIN "\1\4\0\1\0\4\4\0\1\1abxxxx" END, "[a=b]."),
    ROW("padding of the end", BEGIN AB "\1\4\0\1\0\0\2\0xx" STDIN, "[a=b]."),
    ROW("padding missing", BEGIN "\1\4\0\1\0\4\4\0\1\1abxx", "."),
    ROW("a pair over two records",
        BEGIN "\1\4\0\1\0\3\0\0\1\1a\1\4\0\1\0\1\0\0b" END, "[a=b]."),
    ROW("lengths over two records",
        BEGIN "\1\4\0\1\0\1\0\0\1\1\4\0\1\0\3\0\0\1ab" END, "[a=b]."),
    ROW("a length of four bytes", BEGIN "\1\4\0\1\0\7\0\0\200\0\0\1\1ab" END,
        "[a=b]."),
    ROW("four bytes over two records",
        BEGIN "\1\4\0\1\0\2\0\0\200\0\1\4\0\1\0\5\0\0\0\1\1ab" END, "[a=b]."),
    ROW("empty name and value", BEGIN "\1\4\0\1\0\2\0\0\0\0" END, "[=]."),
    ROW("cut between name and value", BEGIN "\1\4\0\1\0\3\0\0\1\1a" END, "!"),
    ROW("cut in the lengths", BEGIN "\1\4\0\1\0\1\0\0\1" END, "!"),
    ROW("cut in a long length", BEGIN "\1\4\0\1\0\3\0\0\1\200\0" END, "!"),
    ROW("a length far beyond the stream",
        BEGIN "\1\4\0\1\0\5\0\0\377\377\377\377\1" END, "!"),
    ROW("another version", "\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", "!"),
    ROW("no begin", END, "!"),
    ROW("request 0", "\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0", "!"),
    ROW("begin twice", BEGIN BEGIN, "!"),
    ROW("begin of a wrong size", "\1\1\0\1\0\4\0\0\0\1\0\0", "!"),
    ROW("an authorizer", "\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0", "!"),
    ROW("another request's parameters", BEGIN END_2, "!"),
    ROW("standard input before the end", BEGIN STDIN, "!"),
    ROW("standard input of nobody", STDIN, "!"),
    ROW("a management record", "\1\11\0\0\0\0\0\0", "!"),
    ROW("filter data", BEGIN AB END "\1\10\0\1\0\0\0\0", "[a=b]!"),
    ROW("aborted", BEGIN AB END ABORT, "[a=b]!"),
    ROW("aborted in its parameters", BEGIN AB ABORT, "!"),
    ROW("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "!"),
    ROW("a next one", BEGIN_KEPT AB END STDIN BEGIN CD END STDIN,
        "[a=b]k+[c=d]."),
    ROW("two next ones",
        BEGIN_KEPT END STDIN BEGIN_KEPT END STDIN BEGIN END STDIN,
        "[]k+[]k+[]."),
    ROW("a next one before the body's end", BEGIN_KEPT AB END BEGIN, "[a=b]k!"),
    ROW("a second request while one is open", BEGIN_KEPT AB END STDIN BEGIN_2,
        "[a=b]k!"),
    ROW("a second one before the parameters' end", BEGIN_KEPT BEGIN_2, "!"),
};

static char *
put_params(char *to, const struct fcgi_record_parser *parser,
           struct fcgi_record_environment *environment)
{
    if (fcgi_record_read_params(parser, environment) != 0) {
        return NULL;
    }
    *to++ = '[';
    for (size_t i = 0; environment->strings[i] != NULL; i++) {
        to += sprintf(to, "%s%s", i > 0 ? " " : "", environment->strings[i]);
    }
    *to++ = ']';
    if (parser->keep) {
        *to++ = 'k';
    }
    return to;
}

/* Feeds one piece and writes what comes of it. NULL: it ended. */
static char *
feed(struct fcgi_record_parser *parser,
     struct fcgi_record_environment *environment, const char *bytes, size_t len,
     char *to)
{
    enum fcgi_record_result result;
    size_t used;

    do {
        result = fcgi_record_feed(parser, (const uint8_t *)bytes, len, &used);
        assert_true(used <= len);
        bytes += used;
        len -= used;
        if (result == FCGI_RECORD_REQUEST) {
            char *end = put_params(to, parser, environment);

            if (end == NULL) {
                strcpy(to, "!");
                return NULL;
            }
            to = end;
        } else if (result == FCGI_RECORD_NEXT) {
            *to++ = '+';
            fcgi_record_answered(parser);
        } else if (result == FCGI_RECORD_BROKEN) {
            strcpy(to, "!");
            return NULL;
        }
    } while (result != FCGI_RECORD_MORE);
    return to;
}

/* Feeds bytes[0..len) in pieces of step bytes, the first of first bytes. */
static void
read_all(const char *bytes, size_t len, size_t first, size_t step, char *text)
{
    struct fcgi_record_parser parser = {0};
    struct fcgi_record_environment environment = {0};
    size_t piece = first;
    char *to = text;

    for (size_t at = 0; to != NULL && at < len; at += piece) {
        piece = at == 0 ? first : step;
        piece = piece < len - at ? piece : len - at;
        to = feed(&parser, &environment, bytes + at, piece, to);
    }
    if (to != NULL) {
        strcpy(to, ".");
    }
    free(parser.params);
    fcgi_record_environment_fini(&environment);
}

static void
test_rows(void **state)
{
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_all(rows[i].bytes, rows[i].len, rows[i].len, 1, text);
        if (strcmp(text, rows[i].meaning) != 0) {
            fail_msg("%s: %s", rows[i].what, text);
        }
    }
}

static void
test_any_cut_means_the_same(void **state)
{
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cut = 1; cut < rows[i].len; cut++) {
            read_all(rows[i].bytes, rows[i].len, cut, rows[i].len, text);
            if (strcmp(text, rows[i].meaning) != 0) {
                fail_msg("%s, cut at %zu: %s", rows[i].what, cut, text);
            }
        }
        read_all(rows[i].bytes, rows[i].len, 1, 1, text);
        if (strcmp(text, rows[i].meaning) != 0) {
            fail_msg("%s, byte by byte: %s", rows[i].what, text);
        }
    }
}

/* Once it is answered, its body may still come, and the next one follow. */
static void
test_after_the_answer(void **state)
{
    static const struct row after[] = {
        ROW("its body's end", STDIN, "."),
        ROW("its body", BODY STDIN, "."),
        ROW("an abort that comes late", ABORT, "."),
        ROW("the next one", STDIN BEGIN CD END, "[c=d]."),
        ROW("the next one, without the body's end", BEGIN CD END, "[c=d]."),
        ROW("the next one under another number", STDIN BEGIN_2 END_2, "[]k."),
        ROW("another's body", "\1\5\0\2\0\0\0\0", "!"),
        ROW("parameters", AB, "!"),
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
        struct fcgi_record_parser parser = {0};
        struct fcgi_record_environment environment = {0};
        char *to = feed(&parser, &environment, BEGIN_KEPT AB END,
                        sizeof(BEGIN_KEPT AB END) - 1, text);

        assert_string_equal((*to = '\0', text), "[a=b]k");
        fcgi_record_answered(&parser);
        to = feed(&parser, &environment, after[i].bytes, after[i].len, text);
        if (to != NULL) {
            strcpy(to, ".");
        }
        if (strcmp(text, after[i].meaning) != 0) {
            fail_msg("%s: %s", after[i].what, text);
        }
        free(parser.params);
        fcgi_record_environment_fini(&environment);
    }
}

static void
test_parameters_have_a_limit(void **state)
{
    static const char header[] = "\1\4\0\1\377\377\0\0";
    static char content[65535];
    struct fcgi_record_parser parser = {0};
    size_t used;

    (void)state;
    assert_int_equal(
        fcgi_record_feed(&parser, (const uint8_t *)BEGIN, 16, &used),
        FCGI_RECORD_MORE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            fcgi_record_feed(&parser, (const uint8_t *)header, 8, &used),
            FCGI_RECORD_MORE);
        assert_int_equal(fcgi_record_feed(&parser, (const uint8_t *)content,
                                          sizeof(content), &used),
                         i == 0 ? FCGI_RECORD_MORE : FCGI_RECORD_BROKEN);
    }
    free(parser.params);
}

static void
test_partial(void **state)
{
    struct fcgi_record_parser parser = {0};
    size_t used;

    (void)state;
    assert_false(fcgi_record_is_partial(&parser));
    fcgi_record_feed(&parser, (const uint8_t *)BEGIN, 3, &used);
    assert_true(fcgi_record_is_partial(&parser));
    fcgi_record_feed(&parser, (const uint8_t *)BEGIN + 3, 13, &used);
    assert_true(fcgi_record_is_partial(&parser));
    fcgi_record_feed(&parser, (const uint8_t *)END STDIN, 8, &used);
    fcgi_record_answered(&parser);
    assert_false(fcgi_record_is_partial(&parser));
    fcgi_record_feed(&parser, (const uint8_t *)STDIN, 8, &used);
    assert_false(fcgi_record_is_partial(&parser));
    free(parser.params);
}

static void
test_frame(void **state)
{
    static const char expected[] =
        "\1\6\2\1\0\3\5\0abc\0\0\0\0\0\1\6\2\1\0\0\0\0"
        "\1\3\2\1\0\10\0\0\0\0\0\0\0\0\0\0";
    static const struct fcgi_record_parser parser = {.id = 0x201};
    uint8_t records[3 + FCGI_RECORD_FRAME_BYTES];

    (void)state;
    memset(records, 'x', sizeof(records));
    memcpy(records + FCGI_RECORD_HEADER_BYTES, "abc", 3);
    assert_int_equal(fcgi_record_frame(&parser, records, 3),
                     sizeof(expected) - 1);
    assert_memory_equal(records, expected, sizeof(expected) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_any_cut_means_the_same),
        cmocka_unit_test(test_after_the_answer),
        cmocka_unit_test(test_parameters_have_a_limit),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_frame),
    };

    return cmocka_run_group_tests_name("fcgi_record", tests, NULL, NULL);
}
