/*
 * metrics_server: what is left of a start that fails. All else is in
 * tests/e2e/test_reporter_metrics.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics/metrics_server.h"

/* The next descriptor that is free. */
static int
next_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    close(fd);
    return fd;
}

/* Allows the process this many descriptors; returns the limit before. */
static rlim_t
limit_fds(rlim_t count)
{
    struct rlimit limit;
    rlim_t before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

/* There is a descriptor for the socket, and none for the epoll. */
static void
test_no_descriptor_is_lost(void **state)
{
    char directory[] = "/tmp/verve-test-metrics-server-XXXXXX";
    struct event_loop *loop = event_loop_open();
    struct metrics_server *server;
    struct options options = {0};
    char path[64];
    rlim_t before;
    int fd;

    (void)state;
    assert_non_null(loop);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/metrics.sock", directory);
    options.metrics.listen = path;
    fd = next_fd();

    before = limit_fds((rlim_t)fd + 1);
    server = metrics_server_open(&options, loop, NULL);
    limit_fds(before);
    assert_non_null(server);
    assert_int_equal(access(path, F_OK), 0); /* it has come so far */
    assert_int_equal(next_fd(), fd);
    metrics_server_close(server);

    /* Nobody listens on the path any more, so that it is replaced. */
    server = metrics_server_open(&options, loop, NULL);
    assert_non_null(server);
    assert_int_not_equal(next_fd(), fd);
    metrics_server_close(server);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(next_fd(), fd);
    event_loop_close(loop);
    assert_int_equal(rmdir(directory), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_descriptor_is_lost),
    };

    return cmocka_run_group_tests_name("metrics_server", tests, NULL, NULL);
}
