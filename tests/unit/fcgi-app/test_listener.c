/*
 * test_listener: which requests are gathered first and which connections are
 * closed when, over real sockets and a real epoll instance.
 */
#define _GNU_SOURCE /* syscall */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define BEGIN_KEPT "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define END "\1\4\0\1\0\0\0\0"
#define STDIN "\1\5\0\1\0\0\0\0"
#define ONCE BEGIN END STDIN
#define KEPT BEGIN_KEPT END STDIN

#define SEND(fd, text)                                                         \
    assert_int_equal(send(fd, text, sizeof(text) - 1, 0), sizeof(text) - 1)

enum { MOST = 8, KEEP_IDLE_MS = 60000 };

struct fixture {
    struct sockaddr_un address;
    socklen_t address_len;
    int listen_fd;
    int epoll_fd;
    struct listener *listener;
    struct fcgi_exchange exchanges[MOST];
    struct fcgi_exchange_list spare;
    struct fcgi_exchange_list gathered;
};

/* How often epoll_ctl takes no new fd. */
static int refusals;

/* In place of the one of libc. */
int
epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && refusals > 0) {
        refusals--;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct listener_options options = {.keep_idle_ms = KEEP_IDLE_MS};

    *state = f;
    STAILQ_INIT(&f->spare);
    STAILQ_INIT(&f->gathered);
    for (int i = 0; i < MOST; i++) {
        STAILQ_INSERT_TAIL(&f->spare, &f->exchanges[i], link);
    }
    f->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    f->address.sun_family = AF_UNIX;
    f->address_len = sizeof(f->address.sun_family); /* the system chooses */
    bind(f->listen_fd, (struct sockaddr *)&f->address, f->address_len);
    f->address_len = sizeof(f->address);
    getsockname(f->listen_fd, (struct sockaddr *)&f->address, &f->address_len);
    listen(f->listen_fd, 64);
    f->epoll_fd = epoll_create1(0);
    options.listen_fd = f->listen_fd;
    options.epoll_fd = f->epoll_fd;
    f->listener = listener_open(&options);
    return f->listener != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    listener_close(f->listener);
    close(f->epoll_fd);
    close(f->listen_fd);
    free(f);
    return 0;
}

static int
connect_peer(const struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(
        connect(fd, (const struct sockaddr *)&f->address, f->address_len), 0);
    return fd;
}

/* Notes what epoll has to say. */
static void
note(struct fixture *f)
{
    struct epoll_event events[64];
    int count = epoll_wait(f->epoll_fd, events, 64, 0);

    for (int i = 0; i < count; i++) {
        listener_note(f->listener, events[i].data.ptr);
    }
}

/* Gathers at most most requests and answers them. */
static size_t
gather(struct fixture *f, size_t most)
{
    struct response response = {.status = 200};
    struct fcgi_exchange *exchange;
    size_t count = listener_gather(f->listener, &f->spare, &f->gathered, most);

    STAILQ_FOREACH(exchange, &f->gathered, link)
    {
        fcgi_conn_respond(exchange, &response);
    }
    return count;
}

/* Releases what was gathered. */
static void
release(struct fixture *f)
{
    struct fcgi_exchange *exchange;

    while ((exchange = STAILQ_FIRST(&f->gathered)) != NULL) {
        STAILQ_REMOVE_HEAD(&f->gathered, link);
        listener_release(f->listener, exchange);
        STAILQ_INSERT_TAIL(&f->spare, exchange, link);
    }
}

/* A round of the responder's loop. */
static size_t
serve(struct fixture *f, size_t most)
{
    size_t count;

    note(f);
    count = gather(f, most);
    release(f);
    return count;
}

/* Bytes of answers that a peer has not read; -1: the connection is closed. */
static ssize_t
received(int fd)
{
    char bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);

    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static bool
is_closed(int fd)
{
    char bytes[65536];

    while (received(fd) > 0) {
        recv(fd, bytes, sizeof(bytes), 0);
    }
    return received(fd) < 0;
}

static int
connect_kept(struct fixture *f)
{
    int fd = connect_peer(f);

    SEND(fd, KEPT);
    assert_int_equal(serve(f, MOST), 1);
    assert_false(is_closed(fd));
    return fd;
}

static void
test_busy_kept_connections_leave_room_for_new_ones(void **state)
{
    struct fixture *f = *state;
    int busy[4];
    int new;

    for (int i = 0; i < 4; i++) {
        busy[i] = connect_kept(f);
    }
    for (int i = 0; i < 4; i++) {
        SEND(busy[i], KEPT KEPT KEPT KEPT KEPT KEPT);
    }
    new = connect_peer(f);
    SEND(new, ONCE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(serve(f, 1), 1);
    }
    assert_true(received(new) > 0);
    close(new);
    for (int i = 0; i < 4; i++) {
        close(busy[i]);
    }
}

static void
test_new_connections_leave_room_for_kept_ones(void **state)
{
    struct fixture *f = *state;
    int kept = connect_kept(f);
    int new[4];

    for (int i = 0; i < 4; i++) {
        new[i] = connect_peer(f);
        SEND(new[i], ONCE);
    }
    SEND(kept, KEPT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(serve(f, 1), 1);
    }
    assert_true(received(kept) > 0);
    close(kept);
    for (int i = 0; i < 4; i++) {
        close(new[i]);
    }
}

/* A body's end that comes late, and in pieces, is no half request. */
static void
test_the_rest_of_an_answered_request_leaves_it_idle(void **state)
{
    struct fixture *f = *state;
    int fd = connect_peer(f);

    SEND(fd, BEGIN_KEPT END);
    assert_int_equal(serve(f, MOST), 1);
    SEND(fd, "\1\5\0\1");
    assert_int_equal(serve(f, MOST), 0);
    assert_in_range(listener_wait_ms(f->listener), 1, LISTENER_PATIENCE_MS);
    SEND(fd, "\0\0\0\0");
    assert_int_equal(serve(f, MOST), 0);
    assert_in_range(listener_wait_ms(f->listener), LISTENER_PATIENCE_MS + 1,
                    KEEP_IDLE_MS);
    close(fd);
}

/* Wherever it is cut. */
static void
test_half_a_request_behind_another_is_no_idle_connection(void **state)
{
    struct fixture *f = *state;
    static const char next[] = KEPT;

    for (size_t cut = 1; cut < sizeof(BEGIN_KEPT END) - 1; cut++) {
        int fd = connect_peer(f);

        SEND(fd, KEPT);
        assert_int_equal(send(fd, next, cut, 0), cut);
        assert_int_equal(serve(f, MOST), 1);
        serve(f, MOST);
        assert_in_range(listener_wait_ms(f->listener), 1, LISTENER_PATIENCE_MS);
        close(fd);
        serve(f, MOST);
    }
}

/* But not if the rest is there, and epoll has not told yet. */
static void
test_half_a_request_is_closed_in_time(void **state)
{
    struct fixture *f = *state;
    int half = connect_peer(f), late = connect_peer(f);

    SEND(half, BEGIN);
    SEND(late, BEGIN);
    serve(f, MOST);
    serve(f, MOST); /* kept connections are taken one at a time */
    poll(NULL, 0, LISTENER_PATIENCE_MS + 10);
    SEND(late, END STDIN);
    assert_int_equal(gather(f, MOST), 0);
    assert_true(is_closed(half));
    assert_int_equal(serve(f, MOST), 1);
    assert_true(received(late) > 0);
    close(half);
    close(late);
}

static void
test_half_a_request_is_closed_while_batches_are_full(void **state)
{
    struct fixture *f = *state;
    int busy = connect_kept(f), half = connect_peer(f);

    SEND(half, BEGIN);
    serve(f, MOST);
    poll(NULL, 0, LISTENER_PATIENCE_MS + 10);
    SEND(busy, KEPT KEPT);
    assert_int_equal(serve(f, 1), 1);
    assert_true(is_closed(half));
    close(busy);
    close(half);
}

static void
test_draining_answers_what_was_sent_ahead(void **state)
{
    struct fixture *f = *state;
    int fd = connect_kept(f);
    size_t served = 0;

    SEND(fd, KEPT KEPT KEPT);
    note(f);
    served += gather(f, MOST);
    listener_drain(f->listener);
    release(f);
    for (int i = 0; i < 4; i++) {
        served += serve(f, MOST);
    }
    assert_int_equal(served, 3);
    assert_true(is_closed(fd));
    assert_true(listener_is_empty(f->listener));
    close(fd);
}

/*
 * An exchange that is not released holds up no other connection, and its own is
 * not read meanwhile.
 */
static void
test_exchanges_are_released_one_by_one(void **state)
{
    struct fixture *f = *state;
    int late = connect_kept(f), other = connect_kept(f);
    struct fcgi_exchange *held;

    SEND(late, KEPT KEPT);
    note(f);
    assert_int_equal(gather(f, 1), 1);
    held = STAILQ_FIRST(&f->gathered);
    STAILQ_REMOVE_HEAD(&f->gathered, link);
    for (int i = 0; i < 3; i++) {
        SEND(other, KEPT);
        assert_int_equal(serve(f, MOST - 1), 1);
    }
    STAILQ_INSERT_TAIL(&f->gathered, held, link);
    release(f);
    assert_int_equal(serve(f, MOST), 1); /* the second of that connection */
    close(late);
    close(other);
}

/* The system may refuse to watch the listener anew (epoll_ctl(2), ENOSPC). */
static void
test_a_listener_that_cannot_be_queued_anew_goes_on(void **state)
{
    struct fixture *f = *state;
    int first = connect_kept(f);
    int second = connect_peer(f), third;

    SEND(second, KEPT);
    refusals = 1;
    assert_int_equal(serve(f, MOST), 1);
    assert_int_equal(refusals, 0);
    third = connect_kept(f);
    assert_true(received(second) > 0);
    close(first);
    close(second);
    close(third);
}

/* It is not the longest idle one that makes room if its request is there. */
static void
test_no_request_is_closed_for_want_of_descriptors(void **state)
{
    struct fixture *f = *state;
    int asking = connect_kept(f), idle = connect_kept(f);
    int new = connect_peer(f);
    int lowest = dup(f->listen_fd); /* no lower fd is free */
    struct rlimit old, none;

    close(lowest);
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){(rlim_t)lowest, old.rlim_max};
    SEND(new, ONCE);
    note(f);
    SEND(asking, KEPT);
    setrlimit(RLIMIT_NOFILE, &none);
    gather(f, MOST);
    setrlimit(RLIMIT_NOFILE, &old);
    release(f);
    assert_true(received(new) > 0);
    assert_true(is_closed(idle));
    assert_int_equal(serve(f, MOST), 1);
    assert_true(received(asking) > 0);
    close(asking);
    close(idle);
    close(new);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_busy_kept_connections_leave_room_for_new_ones),
        TEST(test_new_connections_leave_room_for_kept_ones),
        TEST(test_the_rest_of_an_answered_request_leaves_it_idle),
        TEST(test_half_a_request_behind_another_is_no_idle_connection),
        TEST(test_half_a_request_is_closed_in_time),
        TEST(test_half_a_request_is_closed_while_batches_are_full),
        TEST(test_draining_answers_what_was_sent_ahead),
        TEST(test_exchanges_are_released_one_by_one),
        TEST(test_a_listener_that_cannot_be_queued_anew_goes_on),
        TEST(test_no_request_is_closed_for_want_of_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
