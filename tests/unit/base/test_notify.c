/*
 * test_notify: what a service manager gets. Each test is the manager, on a
 * datagram socket of its own.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/notify.h"

enum { TURN_MS = 1000, TEXT_SIZE = 2048 };

struct manager {
    int fd;
    char name[64]; /* as NOTIFY_SOCKET has it */
    struct notify notify;
};

static void
manager_bind(struct manager *manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                 strlen(manager->name));

    strcpy(address.sun_path, manager->name);
    if (manager->name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, size), 0);
}

/* first is '@' for the abstract namespace, '/' for a path. */
static void
manager_start(struct manager *manager, char first)
{
    snprintf(manager->name, sizeof(manager->name), "%ctmp/verve-notify-%d",
             first, (int)getpid());
    manager_bind(manager);
    setenv("NOTIFY_SOCKET", manager->name, 1);
}

static void
manager_stop(struct manager *manager)
{
    notify_fini(&manager->notify);
    close(manager->fd);
    unlink(manager->name);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* The next message; "" if there is none. */
static const char *
manager_read(struct manager *manager)
{
    static char text[TEXT_SIZE];
    ssize_t len = recv(manager->fd, text, sizeof(text) - 1, 0);

    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void
set_watchdog(const char *usec, const char *pid)
{
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid != NULL) {
        setenv("WATCHDOG_PID", pid, 1);
    }
}

static void
test_nobody_to_tell(void **state)
{
    struct notify notify;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    set_watchdog("2000000", NULL);
    assert_int_equal(notify_init(&notify, TURN_MS), 0);
    assert_true(notify_wait_ms(&notify) == -1);
    errno = EDOM;
    notify_send(&notify, "READY=%d", 1);
    assert_int_equal(errno, EDOM);
    notify_fini(&notify);
    unsetenv("WATCHDOG_USEC");
}

static void
test_names(void **state)
{
    static const struct {
        const char *name;
        int error;
    } rows[] = {
        {"", 0},
        {"relative", EAFNOSUPPORT},
        {"vsock:2:1234", EAFNOSUPPORT},
        {"/0123456789012345678901234567890123456789012345678901234567890123456"
         "789012345678901234567890123456789012345678",
         ENAMETOOLONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct notify notify;

        setenv("NOTIFY_SOCKET", rows[i].name, 1);
        errno = 0;
        assert_int_equal(notify_init(&notify, TURN_MS),
                         rows[i].error == 0 ? 0 : -1);
        assert_int_equal(errno, rows[i].error);
        notify_send(&notify, "READY=1"); /* does nothing */
        notify_fini(&notify);
    }
    unsetenv("NOTIFY_SOCKET");
}

static void
check_messages(char first)
{
    struct manager manager;

    manager_start(&manager, first);
    assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
    notify_send(&manager.notify, "READY=1\nSTATUS=%s %d", "workers:", 3);
    assert_string_equal(manager_read(&manager), "READY=1\nSTATUS=workers: 3");
    assert_string_equal(manager_read(&manager), "");
    manager_stop(&manager);
}

static void
test_messages(void **state)
{
    (void)state;
    check_messages('/');
    check_messages('@');
}

/* The manager was restarted, and has a new socket of the same name. */
static void
test_a_new_socket(void **state)
{
    struct manager manager;

    (void)state;
    manager_start(&manager, '/');
    assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
    close(manager.fd);
    unlink(manager.name);
    notify_send(&manager.notify, "STATUS=lost");
    manager_bind(&manager);
    notify_send(&manager.notify, "STATUS=seen");
    assert_string_equal(manager_read(&manager), "STATUS=seen");
    manager_stop(&manager);
}

static void
test_a_long_text_is_cut(void **state)
{
    struct manager manager;
    char text[TEXT_SIZE];
    size_t len;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    manager_start(&manager, '@');
    assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
    notify_send(&manager.notify, "STATUS=%s", text);
    len = strlen(manager_read(&manager));
    assert_true(len > 256 && len < sizeof(text));
    manager_stop(&manager);
}

/* More than the queue of the socket takes (net.unix.max_dgram_qlen). */
static void
test_a_manager_that_reads_nothing(void **state)
{
    struct manager manager;
    int64_t longest_ms = 0;

    (void)state;
    manager_start(&manager, '@');
    assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
    for (int i = 0; i < 10000 && longest_ms < 50; i++) {
        int64_t before_ms = clock_mono_ms();

        notify_send(&manager.notify, "STATUS=%d", i);
        longest_ms = clock_mono_ms() - before_ms;
    }
    assert_true(longest_ms >= 50 && longest_ms < 10000);
    assert_string_equal(manager_read(&manager), "STATUS=0");
    manager_stop(&manager);
}

static int64_t
mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
test_reloading(void **state)
{
    struct manager manager;
    int64_t before_us = mono_us();
    int64_t told_us = 0;

    (void)state;
    manager_start(&manager, '@');
    assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
    notify_reloading(&manager.notify);
    assert_int_equal(sscanf(manager_read(&manager),
                            "RELOADING=1\nMONOTONIC_USEC=%" SCNd64, &told_us),
                     1);
    assert_true(told_us >= before_us && told_us <= mono_us());
    manager_stop(&manager);
}

static void
test_whose_watchdog(void **state)
{
    char own[24];
    const struct {
        const char *usec;
        const char *pid;
        const char *asked; /* what the manager is told at once */
        int64_t beat_ms;   /* 0: there is no watchdog */
    } rows[] = {
        {"30000000", NULL, "", 15000},
        {"30000000", own, "", 15000},
        {"30000000", "1", "", 0},
        {"2000000", own, "", 1000},
        {"1999000", own, "WATCHDOG_USEC=2000000", 1000},
        {"1", own, "", 0},
        {"0", own, "", 0},
        {"-30000000", own, "", 0},
        {"x", own, "", 0},
        {"9223372036854775807", own, "", 60000},
    };

    (void)state;
    snprintf(own, sizeof(own), "%d", (int)getpid());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct manager manager;

        manager_start(&manager, '@');
        set_watchdog(rows[i].usec, rows[i].pid);
        assert_int_equal(notify_init(&manager.notify, TURN_MS), 0);
        if (manager.notify.beat_ms != rows[i].beat_ms) {
            print_error("row %zu: %s %s\n", i, rows[i].usec, rows[i].pid);
        }
        assert_true(manager.notify.beat_ms == rows[i].beat_ms);
        assert_string_equal(manager_read(&manager), rows[i].asked);
        manager_stop(&manager);
    }
}

static void
test_beats(void **state)
{
    struct manager manager;
    int64_t wait_ms, due_ms;

    (void)state;
    manager_start(&manager, '@');
    set_watchdog("200000", NULL);
    assert_int_equal(notify_init(&manager.notify, 0), 0);
    wait_ms = notify_wait_ms(&manager.notify);
    assert_true(wait_ms >= 0 && wait_ms <= 100);
    manager.notify.due_ms = clock_mono_ms() + 60000;
    notify_beat(&manager.notify);
    assert_string_equal(manager_read(&manager), ""); /* not due yet */
    due_ms = clock_mono_ms() - 1;
    manager.notify.due_ms = due_ms;
    assert_true(notify_wait_ms(&manager.notify) == 0);
    notify_beat(&manager.notify);
    assert_string_equal(manager_read(&manager), "WATCHDOG=1");
    assert_true(manager.notify.due_ms > due_ms + 50);
    manager_stop(&manager);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_to_tell),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_a_new_socket),
        cmocka_unit_test(test_a_long_text_is_cut),
        cmocka_unit_test(test_a_manager_that_reads_nothing),
        cmocka_unit_test(test_reloading),
        cmocka_unit_test(test_whose_watchdog),
        cmocka_unit_test(test_beats),
    };

    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
