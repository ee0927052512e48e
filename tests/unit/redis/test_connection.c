/*
 * connection: against a real redis-server that refuses to accept a client. It
 * sends an error and closes the connection, before or after the client has sent
 * its first command.
 */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "redis_server.h"

#define PUBLIC_ADDRESS "8.8.8.8" /* in a network that is the test's alone */

struct fixture {
    struct redis_server server;
    char port[8];
    int downs;      /* changes to REDIS_STATE_DOWN */
    int maxclients; /* those whose reason names maxclients */
    bool unusable;
    char reason[512]; /* of the last change to DOWN or UNUSABLE */
};

static void
on_change(void *context, const struct redis_change *change)
{
    struct fixture *f = context;

    if (change->state == REDIS_STATE_DOWN ||
        change->state == REDIS_STATE_UNUSABLE) {
        snprintf(f->reason, sizeof(f->reason), "%s", change->reason);
        f->downs += change->state == REDIS_STATE_DOWN;
        f->maxclients += strstr(change->reason, "maxclients") != NULL;
        f->unusable = f->unusable || change->state == REDIS_STATE_UNUSABLE;
    }
}

/* A port of 127.0.0.1 that was free a moment ago. */
static void
find_port(char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
}

static int
setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    signal(SIGPIPE, SIG_IGN);
    find_port(fixture.port);
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    redis_server_stop(&f->server);
    return 0;
}

static void
start(struct fixture *f, const char *bind_to, const char *option,
      const char *value)
{
    const char *args[] = {"--port", f->port, "--bind", bind_to,
                          option,   value,   NULL};

    memcpy(f->server.args, args, sizeof(args));
    assert_int_equal(redis_server_start(&f->server), 0);
}

static struct redis *
open_url(struct fixture *f, const char *url)
{
    struct redis_options options = {
        .url = url,
        .client_name = "unit",
        .timeout_ms = 2000,
        .check = {.script = &redis_server_command,
                  .add_args = redis_server_ping},
        .on_change = on_change,
        .on_change_context = f,
    };
    struct redis *redis = redis_open(&options);

    assert_non_null(redis);
    return redis;
}

static const struct url_row {
    const char *scheme;   /* the socket's path or the port follows */
    const char *database; /* the end of the URL */
    const char *step;     /* the command whose reply the error seems to be */
} url_rows[] = {
    {"unix://", "", "CLIENT SETNAME"},
    {"redis://127.0.0.1:", "", "CLIENT SETNAME"},
    {"redis://:wrong@127.0.0.1:", "", "AUTH"},
    {"redis://127.0.0.1:", "/1", "SELECT"},
};

enum { ATTEMPTS = 3 }; /* the error comes before or after the first write */

static bool
has_named_maxclients(struct fixture *f, const char *url)
{
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    struct redis *redis = open_url(f, url);

    f->downs = 0;
    f->maxclients = 0;
    for (int i = 0; i < 2000 && f->downs < ATTEMPTS && !f->unusable; i++) {
        redis_step(redis);
        nanosleep(&pause, NULL);
    }
    redis_close(redis);
    return f->downs == ATTEMPTS && f->maxclients == ATTEMPTS && !f->unusable;
}

/* All connections are in use, which ends by itself: maxclients is the reason.
 */
static void
test_too_many_clients(void **state)
{
    struct fixture *f = *state;
    struct redis *only;
    int failed = 0;

    start(f, "127.0.0.1", "--maxclients", "1");
    only = redis_server_connect(&f->server);
    assert_non_null(only);
    for (size_t i = 0; i < sizeof(url_rows) / sizeof(url_rows[0]); i++) {
        const struct url_row *row = &url_rows[i];
        char url[160];

        f->unusable = false;
        snprintf(url, sizeof(url), "%s%s%s", row->scheme,
                 row->scheme[0] == 'u' ? f->server.path : f->port,
                 row->database);
        if (!has_named_maxclients(f, url)) {
            print_error("%s (%s): %s%s\n", url, row->step,
                        f->unusable ? "unusable: " : "", f->reason);
            failed++;
        }
    }
    redis_close(only);
    assert_int_equal(failed, 0);
}

/* The refused client is accepted as soon as another one leaves. */
static void
test_client_leaves(void **state)
{
    struct fixture *f = *state;
    struct redis *only;
    struct redis *redis;
    char url[64];

    start(f, "127.0.0.1", "--maxclients", "1");
    only = redis_server_connect(&f->server);
    assert_non_null(only);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%s/1", f->port);
    redis = open_url(f, url);
    assert_true(redis_server_await(redis, REDIS_STATE_DOWN));
    redis_close(only);
    assert_true(redis_server_await(redis, REDIS_STATE_UP));
    assert_int_equal(redis_check_connection(redis), 1);
    redis_close(redis);
}

/* Gives the loopback interface a public address, and switches it on. */
static bool
make_network(void)
{
    struct ifreq request = {.ifr_name = "lo:1"};
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    int fd;
    bool done;

    if (unshare(CLONE_NEWNET) != 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, PUBLIC_ADDRESS, &in->sin_addr);
    done = ioctl(fd, SIOCSIFADDR, &request) == 0;
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    done = done && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return done;
}

/* Protected mode, for clients from elsewhere: an operator has to change it. */
static void
test_protected_mode(void **state)
{
    struct fixture *f = *state;
    struct redis *redis;
    char url[64];

    if (!make_network()) {
        skip();
    }
    start(f, "0.0.0.0", "--protected-mode", "yes");
    redis = redis_server_connect(&f->server); /* it listens now */
    assert_non_null(redis);
    redis_close(redis);
    snprintf(url, sizeof(url), "redis://" PUBLIC_ADDRESS ":%s", f->port);
    redis = open_url(f, url);
    assert_int_equal(redis_wait(redis), REDIS_STATE_UNUSABLE);
    assert_non_null(strstr(f->reason, "DENIED"));
    redis_close(redis);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_leaves, setup, teardown),
        /* The last: it leaves the network. */
        cmocka_unit_test_setup_teardown(test_protected_mode, setup, teardown),
    };

    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
