/*
 * test_log: the lines on stderr. For each test a pipe replaces stderr.
 */
#define _GNU_SOURCE /* pipe2, O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

enum { TIME_BYTES = sizeof("2026-01-02T03:04:05.678Z") - 1 };

/* The real stderr, and the end of the pipe to read from. */
struct capture {
    int stderr_fd;
    int read_fd;
};

static void
capture_begin(struct capture *capture)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK), 0);
    capture->read_fd = fds[0];
    capture->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
}

/*
 * The first line that was written, without its newline; "" if there is none. In
 * packet mode (pipe(2), O_DIRECT) one read returns one write.
 */
static void
capture_end(struct capture *capture, char line[PIPE_BUF + 1])
{
    ssize_t len = read(capture->read_fd, line, PIPE_BUF);

    dup2(capture->stderr_fd, STDERR_FILENO);
    close(capture->stderr_fd);
    close(capture->read_fd);
    if (len > 0) {
        assert_int_equal(line[len - 1], '\n');
        len--;
    }
    line[len < 0 ? 0 : len] = '\0';
}

static void
test_before_it_is_open(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];

    (void)state;
    capture_begin(&capture);
    log_debug("not this");
    log_info("hello %d", 7);
    capture_end(&capture, line);
    assert_int_equal(line[TIME_BYTES - 1], 'Z');
    assert_string_equal(line + TIME_BYTES, " INFO hello 7");
}

static void
test_line(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];
    char expected[128];

    (void)state;
    log_open("verve-test", TARGET_STDERR, LEVEL_WARN);
    capture_begin(&capture);
    log_info("not this");
    errno = EPERM;
    log_warn("a\nb\x1b[31m\x7f %m \xC3\xA9");
    assert_int_equal(errno, EPERM);
    capture_end(&capture, line);
    snprintf(expected, sizeof(expected),
             " WARN verve-test[%d]: a\\x0Ab\\x1B[31m\\x7F Operation not "
             "permitted \xC3\xA9",
             (int)getpid());
    assert_string_equal(line + TIME_BYTES, expected);
}

static void
test_long_lines_are_cut(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];
    char text[2 * PIPE_BUF];

    (void)state;
    log_open("verve-test", TARGET_STDERR, LEVEL_DEBUG);
    for (const char *fill = "a\n"; *fill != '\0'; fill++) {
        memset(text, *fill, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        capture_begin(&capture);
        log_debug("%s", text);
        capture_end(&capture, line);
        assert_in_range(strlen(line), 3000, PIPE_BUF);
        assert_null(strchr(line, '\n'));
    }
}

/* Nobody reads the pipe. If a write blocks, alarm(2) ends the test. */
static void
test_a_full_pipe_stops_nobody(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];
    int flags, written = 0;

    (void)state;
    log_open("verve-test", TARGET_STDERR, LEVEL_INFO);
    capture_begin(&capture);
    flags = fcntl(STDERR_FILENO, F_GETFL);
    while (write(STDERR_FILENO, "x", 1) == 1) {
        written++;
    }
    fcntl(STDERR_FILENO, F_SETFL, flags & ~O_NONBLOCK);
    alarm(10);
    log_info("lost");
    assert_int_equal(read(capture.read_fd, line, PIPE_BUF), 1);
    log_info("found");
    alarm(0);
    while (--written > 0) {
        assert_int_equal(read(capture.read_fd, line, PIPE_BUF), 1);
    }
    capture_end(&capture, line);
    assert_non_null(strstr(line, ": found"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_it_is_open),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_a_full_pipe_stops_nobody),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
