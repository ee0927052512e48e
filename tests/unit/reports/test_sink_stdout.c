/*
 * sink_file with /dev/stdout: a stream that cannot be read back. Each test
 * makes a pipe its stdout, and prints nothing meanwhile.
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "reports/record_format.h"
#include "reports/sinks.h"

/* Window i, i minutes after 2026-01-02T03:00:00Z. */
#define WINDOW(i) (INT64_C(1767322800) + 60 * (i))

enum { OFFERED = SINK_OFFER_MOST };

struct fixture {
    struct options options;
    struct sink *sink;
    int ends[2];
    int saved; /* the former stdout */
    int failed;
    int64_t delivered_s;
};

/* The stream is no file: fails as for a pipe, and must not be called. */
int
fdatasync(int fd)
{
    (void)fd;
    errno = EINVAL;
    return -1;
}

static void
on_delivered(void *context, int64_t start_s)
{
    ((struct fixture *)context)->delivered_s = start_s;
}

static void
on_failed(void *context, int64_t wait_ms)
{
    (void)wait_ms;
    ((struct fixture *)context)->failed++;
}

static void
open_sink(struct fixture *f)
{
    struct sink_events events = {f, on_delivered, on_failed};

    f->sink = sink_file.open(&f->options, NULL, &events);
}

/* Offers windows from .. from + OFFERED - 1. The count of window i is i. */
static void
offer(struct fixture *f, int from)
{
    struct window_record records[OFFERED];

    for (int i = 0; i < OFFERED; i++) {
        records[i] = (struct window_record){
            .start_s = WINDOW(from + i), .length_s = 60, .count = from + i};
    }
    sink_file.offer(f->sink, records, OFFERED);
}

/* Reads lines, which must be of windows from .. up to one; returns that. 0 if a
   line is another. */
static int
read_lines(struct fixture *f, int from)
{
    static char text[256 * 1024];
    ssize_t len = read(f->ends[0], text, sizeof(text));
    char *line = text, *end;

    while (len > 0 && (end = memchr(line, '\n', (size_t)len)) != NULL) {
        int64_t start_s = 0;

        if (record_format_window(line, (size_t)(end - line), &start_s) < 0 ||
            start_s != WINDOW(from)) {
            return 0;
        }
        from++;
        len -= end + 1 - line;
        line = end + 1;
    }
    return len > 0 ? 0 : from - 1;
}

static void
test_lines(void **state)
{
    struct fixture *f = *state;

    assert_true(f->sink->from_newest);
    assert_int_equal(sink_file.last(f->sink), 0);
    offer(f, 1);
    assert_int_equal(f->failed, 0);
    assert_int_equal(f->delivered_s, WINDOW(OFFERED));
    assert_int_equal(read_lines(f, 1), OFFERED);
    assert_int_equal(sink_file.last(f->sink), WINDOW(OFFERED));
    sink_file.reopen(f->sink);
    offer(f, 2); /* what was written is not written again */
    assert_int_equal(f->delivered_s, WINDOW(OFFERED + 1));
    assert_int_equal(read_lines(f, OFFERED + 1), OFFERED + 1);
}

/* Nobody reads: the offer returns, and goes on later where it stopped. */
static void
test_a_full_pipe(void **state)
{
    struct fixture *f = *state;
    int from = 1;

    alarm(10);
    while (f->failed == 0) {
        offer(f, from);
        from += OFFERED;
        assert_in_range(from, 1, 100000);
    }
    from -= OFFERED;
    assert_string_equal(f->sink->error,
                        "cannot write: its reader does not keep up");
    assert_int_equal(read_lines(f, 1), (f->delivered_s - WINDOW(0)) / 60);
    offer(f, from);
    alarm(0);
    assert_int_equal(f->failed, 1);
    assert_int_equal(f->delivered_s, WINDOW(from + OFFERED - 1));
}

static void
test_the_reader_has_gone(void **state)
{
    struct fixture *f = *state;

    signal(SIGPIPE, SIG_IGN);
    close(f->ends[0]);
    f->ends[0] = -1;
    offer(f, 1);
    assert_int_equal(f->failed, 1);
    assert_int_equal(f->delivered_s, 0);
    assert_non_null(strstr(f->sink->error, strerror(EPIPE)));
}

/* Nothing is cut off there, so that callbacks.log may be the same. */
static void
test_the_callback_log_may_be_there_too(void **state)
{
    struct fixture *f = *state;
    char why[SINK_WHY_SIZE];

    f->options.callbacks.log = (char *)"/dev/stdout";
    assert_int_equal(sink_file.check(&f->options, why), 0);
}

static int
set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    if (pipe2(f.ends, O_CLOEXEC) < 0 ||
        fcntl(f.ends[0], F_SETFL, O_NONBLOCK) < 0) {
        return -1;
    }
    f.options.file.path = (char *)"/dev/stdout";
    f.options.file.format = FORMAT_TEXT;
    f.options.sink.name = (char *)"";
    fflush(stdout);
    f.saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(f.ends[1], STDOUT_FILENO);
    open_sink(&f);
    *state = &f;
    return f.sink == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    dup2(f->saved, STDOUT_FILENO);
    close(f->saved);
    sink_file.close(f->sink);
    if (f->ends[0] >= 0) {
        close(f->ends[0]);
    }
    close(f->ends[1]);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_a_full_pipe),
        TEST(test_the_reader_has_gone),
        TEST(test_the_callback_log_may_be_there_too),
    };

    return cmocka_run_group_tests_name("sink_stdout", tests, NULL, NULL);
}
