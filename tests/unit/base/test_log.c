/*
 * test_log: the lines on stderr and in a file. For each test a pipe replaces
 * stderr.
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

enum { TIME_BYTES = sizeof("ts=2026-01-02T03:04:05.678Z") - 1 };

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
open_log(const char *target, enum log_format format, enum log_level level)
{
    const struct log_settings settings = {
        .target = target, .format = format, .level = level};

    log_open("verve-test", &settings);
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
    assert_string_equal(line + TIME_BYTES, " level=info msg=\"hello 7\"");
}

static void
test_line(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];
    char expected[128];

    (void)state;
    open_log(LOG_TARGET_STDERR, LOG_LOGFMT, LEVEL_WARN);
    capture_begin(&capture);
    log_info("not this");
    errno = EPERM;
    log_warn("a\nb\x1b[31m\x7f %m \xC3\xA9");
    assert_int_equal(errno, EPERM);
    capture_end(&capture, line);
    snprintf(expected, sizeof(expected),
             " level=warn program=verve-test pid=%d "
             "msg=\"a\\nb\\u001b[31m\\u007f Operation not permitted \xC3\xA9\"",
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
    open_log(LOG_TARGET_STDERR, LOG_LOGFMT, LEVEL_DEBUG);
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
    open_log(LOG_TARGET_STDERR, LOG_LOGFMT, LEVEL_INFO);
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
    assert_non_null(strstr(line, "msg=\"found\""));
}

static void
test_an_event_has_keys(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];
    char expected[128];

    (void)state;
    open_log(LOG_TARGET_STDERR, LOG_JSON, LEVEL_INFO);
    capture_begin(&capture);
    log_event(LEVEL_DEBUG, "not this", LOG_FIELDS(LOG_NUMBER("n", 1)));
    log_event(LEVEL_INFO, "x \"y\"",
              LOG_FIELDS(LOG_TEXT("host", "h:1"), LOG_NUMBER("open_s", -3)));
    capture_end(&capture, line);
    assert_memory_equal(line, "{\"ts\":\"20", sizeof("{\"ts\":\"20") - 1);
    snprintf(expected, sizeof(expected),
             "Z\",\"level\":\"info\",\"program\":\"verve-test\",\"pid\":%d,"
             "\"msg\":\"x \\\"y\\\"\",\"host\":\"h:1\",\"open_s\":-3}",
             (int)getpid());
    assert_string_equal(strchr(line, 'Z'), expected);
}

/* The number of lines of a file. */
static int
count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0, byte;

    assert_non_null(file);
    while ((byte = getc(file)) != EOF) {
        lines += byte == '\n';
    }
    fclose(file);
    return lines;
}

/* A file that was moved or removed is noticed at the next line; a file that
   can't be written loses none to stderr. */
static void
test_a_file(void **state)
{
    char folder[] = "/tmp/verve-log-XXXXXX";
    char path[64], moved[64], line[PIPE_BUF + 1];
    struct capture capture;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(moved, sizeof(moved), "%s/log.1", folder);
    open_log(path, LOG_LOGFMT, LEVEL_INFO);
    capture_begin(&capture);
    log_info("one");
    log_info("two");
    assert_int_equal(rename(path, moved), 0);
    log_info("three");
    assert_int_equal(count_lines(moved), 2);
    assert_int_equal(count_lines(path), 1);
    unlink(path);
    log_release();
    log_info("four");
    assert_int_equal(count_lines(path), 1);
    unlink(moved);
    unlink(path);
    rmdir(folder);
    assert_int_equal(read(capture.read_fd, line, 1), -1);
    log_info("five");
    capture_end(&capture, line);
    assert_non_null(strstr(line, "msg=\"five\""));
}

/* /dev/full, as a full disk. */
static void
test_a_full_disk(void **state)
{
    struct capture capture;
    char line[PIPE_BUF + 1];

    (void)state;
    open_log("/dev/full", LOG_LOGFMT, LEVEL_INFO);
    capture_begin(&capture);
    log_info("no space");
    capture_end(&capture, line);
    assert_non_null(strstr(line, "msg=\"no space\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_it_is_open),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_a_full_pipe_stops_nobody),
        cmocka_unit_test(test_an_event_has_keys),
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_a_full_disk),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
