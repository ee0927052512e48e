/*
 * test_trace_context: which headers are kept, by tables of rows, and what is
 * passed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/trace_context.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define GOOD "00-" ID "-" SPAN "-01"
#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define A256 A64 A64 A64 A64

static const struct {
    const char *header;
    const char *kept;
} traceparents[] = {
    {GOOD, GOOD},
    {"00-" ID "-" SPAN "-00", "00-" ID "-" SPAN "-00"},
    {"00-" ID "-" SPAN "-03", "00-" ID "-" SPAN "-03"},
    /* Unknown flags are not passed on (section 3.2.2.5). */
    {"00-" ID "-" SPAN "-ff", "00-" ID "-" SPAN "-03"},
    {"00-" ID "-" SPAN "-09", "00-" ID "-" SPAN "-01"},
    {"00-" ID "-" SPAN "-0e", "00-" ID "-" SPAN "-02"},
    /* A higher version may be longer. */
    {"01-" ID "-" SPAN "-01", GOOD},
    {"cc-" ID "-" SPAN "-01-what-the-future-will-be-like", GOOD},
    {"fe-" ID "-" SPAN "-01-", GOOD},
    {"cc-" ID "-" SPAN "-01.what", ""},
    {"cc-" ID "-" SPAN "-011", ""},
    {"00-" ID "-" SPAN "-01-", ""},
    {"00-" ID "-" SPAN "-01-what", ""},
    {"ff-" ID "-" SPAN "-01", ""},
    {"0-" ID "-" SPAN "-01", ""},
    {"0g-" ID "-" SPAN "-01", ""},
    {"CC-" ID "-" SPAN "-01", ""},
    {"00-00000000000000000000000000000000-" SPAN "-01", ""},
    {"00-" ID "-0000000000000000-01", ""},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", ""},
    {"00-" ID "-00F067AA0BA902B7-01", ""},
    {"00-" ID "-" SPAN "-0A", ""},
    {"00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01", ""},
    {"00-" ID "0-" SPAN "-01", ""},
    {"00_" ID "-" SPAN "-01", ""},
    {"00-" ID "_" SPAN "-01", ""},
    {"00-" ID "-" SPAN "_01", ""},
    {"00-" ID "-" SPAN "-1", ""},
    {"00-" ID "-" SPAN "-", ""},
    {"00-" ID "-" SPAN, ""},
    {" " GOOD, ""},
    {GOOD " ", ""},
    {GOOD ", " GOOD, ""}, /* the header was sent twice */
    {"00", ""},
    {"", ""},
};

static void
test_traceparent(void **state)
{
    struct trace_context trace;

    (void)state;
    for (size_t i = 0; i < sizeof(traceparents) / sizeof(traceparents[0]);
         i++) {
        trace_context_read(&trace, traceparents[i].header, NULL, NULL);
        if (strcmp(trace.traceparent, traceparents[i].kept) != 0) {
            fail_msg("\"%s\" is \"%s\"", traceparents[i].header,
                     trace.traceparent);
        }
        assert_int_equal(trace_context_is_set(&trace),
                         traceparents[i].kept[0] != '\0');
    }
}

static const struct {
    const char *header;
    bool good;
} tracestates[] = {
    {"a=1", true},
    {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true},
    {"a=1 , b=2", true},
    {"a=1,,b=2,", true},
    {",a=1", true},
    {"  a=1  ", true},
    {"a_-*/9=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~", true},
    {"a=b c", true},
    {"a= b", true},
    {"1tenant@system=1", true},
    {"a=1,a=2", true}, /* may be passed on as they are */
    {A256 "=" A16, true},
    {"a=" A256, true},
    {A256 "=" A16 A64 A64 A64 A16 A16, true}, /* 497 bytes */
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=0,k=1,l=2,m=3,n=4,o=5,p=6,q=7,r=8,"
     "s=9,t=0,u=1,v=2,w=3,x=4,y=5,z=6,aa=7,ab=8,ac=9,ad=0,ae=1,af=2",
     true},
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=0,k=1,l=2,m=3,n=4,o=5,p=6,q=7,r=8,"
     "s=9,t=0,u=1,v=2,w=3,x=4,y=5,z=6,aa=7,ab=8,ac=9,ad=0,ae=1,af=2,ag=3",
     false}, /* 33 members */
    {"", false},
    {" ", false},
    {",", false},
    {"a", false},
    {"=1", false},
    {"a=", false},
    {"a= ", false},
    {"a=1;b", true},
    {"a=1;b=2", false},
    {"a=1=2", false},
    {"a =1", false},
    {"A=1", false},
    {"1=1", false},
    {"_a=1", false},
    {"a.b=1", false},
    {"@system=1", false},
    {"tenant@=1", false},
    {"tenant@1=1", false},
    {"tenant@system@x=1", false},
    {"a@abcdefghijklmn=1", true},
    {"a@abcdefghijklmno=1", false},
    {A256 "a=1", false},
    {A256 "@a=1", false},
    {"a=" A256 "a", false},
    {"a=1\r\nX-Evil: 1", false},
    {"a=1\nb=2", false},
    {"a=\x7f", false},
    {"a=\xc3\xa9", false},
    {"a=b\tc", false},
    {"a=1,b=" A256 ",c=" A256, false}, /* more than 512 bytes */
};

static void
test_tracestate(void **state)
{
    struct trace_context trace;

    (void)state;
    for (size_t i = 0; i < sizeof(tracestates) / sizeof(tracestates[0]); i++) {
        const char *header = tracestates[i].header;

        trace_context_read(&trace, GOOD, header, NULL);
        if (strcmp(trace.tracestate, tracestates[i].good ? header : "") != 0) {
            fail_msg("\"%s\" is \"%s\"", header, trace.tracestate);
        }
        assert_string_equal(trace.traceparent, GOOD);
        trace_context_read(&trace, "00-x", header, NULL);
        assert_string_equal(trace.tracestate, "");
        assert_false(trace_context_is_set(&trace));
    }
    /* No byte needs more than one escape in JSON. */
    trace_context_read(&trace, GOOD, "a=1\t,\tb=2", NULL);
    assert_string_equal(trace.tracestate, "a=1 , b=2");
}

static void
test_512_bytes_of_tracestate(void **state)
{
    char header[TRACE_CONTEXT_TRACESTATE_MAX_BYTES + 2];
    struct trace_context trace;

    (void)state;
    memset(header, ' ', sizeof(header));
    memcpy(header, "a=1", 3);
    header[TRACE_CONTEXT_TRACESTATE_MAX_BYTES] = '\0';
    trace_context_read(&trace, GOOD, header, NULL);
    assert_string_equal(trace.tracestate, header);
    header[TRACE_CONTEXT_TRACESTATE_MAX_BYTES] = ' ';
    header[TRACE_CONTEXT_TRACESTATE_MAX_BYTES + 1] = '\0';
    trace_context_read(&trace, GOOD, header, NULL);
    assert_string_equal(trace.tracestate, "");
}

static const struct {
    const char *header;
    bool good;
} request_ids[] = {
    {"7", true},        {"f058ebd6-02f7-4d3f-942e-904344e8cde5", true},
    {"!\"#\\'~", true}, {A64, true},
    {A64 "a", false},   {"", false},
    {"a b", false},     {"a, b", false}, /* the header was sent twice */
    {"a\tb", false},    {"a\r\nX-Evil: 1", false},
    {"a\x7f", false},   {"\xc3\xa9", false},
};

/* With and without a traceparent. */
static void
test_request_id(void **state)
{
    struct trace_context trace;

    (void)state;
    for (size_t i = 0; i < sizeof(request_ids) / sizeof(request_ids[0]); i++) {
        const char *header = request_ids[i].header;
        const char *kept = request_ids[i].good ? header : "";

        trace_context_read(&trace, NULL, "a=1", header);
        assert_string_equal(trace.request_id, kept);
        assert_string_equal(trace.tracestate, "");
        assert_int_equal(trace_context_is_set(&trace), request_ids[i].good);
        assert_false(trace_context_is_sampled(&trace));
        trace_context_read(&trace, GOOD, NULL, header);
        assert_string_equal(trace.request_id, kept);
        assert_true(trace_context_is_set(&trace));
    }
}

static void
test_parts(void **state)
{
    char trace_id[TRACE_CONTEXT_TRACE_ID_SIZE];
    char span_id[TRACE_CONTEXT_SPAN_ID_SIZE];
    char child[TRACE_CONTEXT_TRACEPARENT_SIZE];
    struct trace_context trace;

    (void)state;
    trace_context_read(&trace, GOOD, NULL, NULL);
    assert_true(trace_context_is_sampled(&trace));
    trace_context_trace_id(&trace, trace_id);
    assert_string_equal(trace_id, ID);
    trace_context_span_id(&trace, span_id);
    assert_string_equal(span_id, SPAN);
    trace_context_child(&trace, "0123456789abcdef", child);
    assert_string_equal(child, "00-" ID "-0123456789abcdef-01");
    trace_context_read(&trace, "00-" ID "-" SPAN "-02", NULL, NULL);
    assert_false(trace_context_is_sampled(&trace));
    trace_context_child(&trace, "0123456789abcdef", child);
    assert_string_equal(child, "00-" ID "-0123456789abcdef-02");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_tracestate),
        cmocka_unit_test(test_512_bytes_of_tracestate),
        cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests_name("trace_context", tests, NULL, NULL);
}
