/*
 * test_kept_sockets: a connection is found by the addresses of its two ends. It
 * is clean as long as no byte arrives on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/kept_sockets.h"

/* Both sockets of a connection, and their addresses. */
struct pair {
    int ours;
    int theirs;
    int own_port;
    struct sockaddr_in peer;
};

struct fixture {
    struct kept_sockets *kept;
    CURL *easy; /* without a connection, so without TLS */
    int listeners[2];
};

static struct sockaddr_in
loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static struct sockaddr_in
end_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return address;
}

static int
setup(void **state)
{
    static struct fixture fixture;
    struct sockaddr_in any = loopback(0);

    fixture.kept = kept_sockets_open();
    fixture.easy = curl_easy_init();
    assert_non_null(fixture.kept);
    assert_non_null(fixture.easy);
    for (int i = 0; i < 2; i++) {
        fixture.listeners[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(
            bind(fixture.listeners[i], (struct sockaddr *)&any, sizeof(any)),
            0);
        assert_int_equal(listen(fixture.listeners[i], 8), 0);
    }
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    kept_sockets_close(f->kept);
    curl_easy_cleanup(f->easy);
    close(f->listeners[0]);
    close(f->listeners[1]);
    return 0;
}

/* Connects to a listener from own_port; 0: from any port. */
static struct pair
pair_open(int listener, int own_port)
{
    struct sockaddr_in own = loopback(own_port);
    struct pair pair = {.ours = socket(AF_INET, SOCK_STREAM, 0)};
    int yes = 1;

    setsockopt(pair.ours, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    assert_int_equal(bind(pair.ours, (struct sockaddr *)&own, sizeof(own)), 0);
    pair.peer = end_of(listener);
    assert_int_equal(
        connect(pair.ours, (struct sockaddr *)&pair.peer, sizeof(pair.peer)),
        0);
    pair.own_port = ntohs(end_of(pair.ours).sin_port);
    pair.theirs = accept(listener, NULL, NULL);
    assert_true(pair.theirs >= 0);
    return pair;
}

static void
pair_close(const struct pair *pair)
{
    close(pair->ours);
    close(pair->theirs);
}

static bool
is_clean(const struct fixture *f, const struct pair *pair)
{
    return kept_sockets_is_clean(f->kept, f->easy, pair->own_port,
                                 (const struct sockaddr *)&pair->peer);
}

static void
test_silence_is_clean(void **state)
{
    struct fixture *f = *state;
    struct pair pair = pair_open(f->listeners[0], 0);

    assert_false(is_clean(f, &pair)); /* not noted */
    kept_sockets_note(f->kept, pair.ours);
    kept_sockets_note(f->kept, pair.ours); /* once more does no harm */
    assert_true(is_clean(f, &pair));
    assert_true(is_clean(f, &pair));
    pair_close(&pair);
}

static void
test_bytes_and_ends_are_not(void **state)
{
    struct fixture *f = *state;
    struct pair pair = pair_open(f->listeners[0], 0);
    char byte;

    kept_sockets_note(f->kept, pair.ours);
    assert_int_equal(write(pair.theirs, "x", 1), 1);
    assert_false(is_clean(f, &pair));
    assert_false(is_clean(f, &pair)); /* it is still there to be read */
    assert_int_equal(read(pair.ours, &byte, 1), 1);
    assert_true(is_clean(f, &pair));
    assert_int_equal(shutdown(pair.theirs, SHUT_WR), 0);
    assert_false(is_clean(f, &pair));
    pair_close(&pair);
}

static void
test_a_closed_one_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct pair first = pair_open(f->listeners[0], 0);
    struct pair second;

    kept_sockets_note(f->kept, first.ours);
    pair_close(&first);
    assert_false(is_clean(f, &first));
    second = pair_open(f->listeners[0], 0);
    assert_int_equal(second.ours, first.ours); /* the number is used again */
    assert_false(is_clean(f, &first));
    kept_sockets_note(f->kept, second.ours);
    assert_true(is_clean(f, &second));
    assert_false(is_clean(f, &first));
    pair_close(&second);
}

/* Connections to several peers may share a local port. */
static void
test_one_port_for_two_peers(void **state)
{
    struct fixture *f = *state;
    struct pair one = pair_open(f->listeners[0], 0);
    struct pair other = pair_open(f->listeners[1], one.own_port);

    assert_int_equal(one.own_port, other.own_port);
    kept_sockets_note(f->kept, one.ours);
    kept_sockets_note(f->kept, other.ours);
    assert_int_equal(write(one.theirs, "x", 1), 1);
    assert_false(is_clean(f, &one));
    assert_true(is_clean(f, &other));
    pair_close(&one);
    pair_close(&other);
}

static void
test_a_socket_without_an_end_is_not_noted(void **state)
{
    struct fixture *f = *state;
    struct pair pair = pair_open(f->listeners[0], 0);
    int unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);

    kept_sockets_note(f->kept, -1);
    kept_sockets_note(f->kept, unix_fd);
    assert_false(is_clean(f, &pair));
    close(unix_fd);
    pair_close(&pair);
}

/* Many connections, some of which end, in any order. */
static void
test_many(void **state)
{
    enum { MANY = 100 };
    struct fixture *f = *state;
    struct pair pairs[MANY];

    for (int i = 0; i < MANY; i++) {
        pairs[i] = pair_open(f->listeners[i % 2], 0);
        kept_sockets_note(f->kept, pairs[i].ours);
    }
    for (int i = 0; i < MANY; i += 3) {
        close(pairs[i].theirs);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(is_clean(f, &pairs[i]), i % 3 != 0);
    }
    for (int i = 0; i < MANY; i++) {
        close(pairs[i].ours);
        if (i % 3 != 0) {
            close(pairs[i].theirs);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_silence_is_clean),
        TEST(test_bytes_and_ends_are_not),
        TEST(test_a_closed_one_is_not_found),
        TEST(test_one_port_for_two_peers),
        TEST(test_a_socket_without_an_end_is_not_noted),
        TEST(test_many),
    };

    return cmocka_run_group_tests_name("kept_sockets", tests, NULL, NULL);
}
