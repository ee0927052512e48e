/*
 * event_loop: fds, timers, and handlers that change the watches of later events
 * in the same batch.
 */
#define _GNU_SOURCE /* pipe2, dup3 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/event_loop.h"

struct fixture {
    struct event_loop *loop;
    struct event_loop_timer end; /* stops the loop */
    int pipes[2][2];
    int calls[2]; /* of the handlers of pipes[i][0] */
    uint32_t events;
    char order[16]; /* of the timers that fired */
};

static void
end_run(void *context)
{
    event_loop_stop(((struct fixture *)context)->loop);
}

static void
run_for(struct fixture *f, int64_t ms)
{
    event_loop_arm(f->loop, &f->end, ms);
    assert_int_equal(event_loop_run(f->loop), 0);
}

static void
on_byte(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;
    char byte;

    f->events = events;
    if (events & EPOLLIN) {
        assert_int_equal(read(fd, &byte, 1), 1);
    }
    f->calls[fd == f->pipes[1][0]]++;
}

static void
put_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void
test_watch(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        event_loop_watch(f->loop, f->pipes[0][0], EPOLLIN, on_byte, f), 0);
    put_byte(f->pipes[0][1]);
    put_byte(f->pipes[0][1]);
    for (int runs = 0; f->calls[0] < 2 && runs < 100; runs++) {
        run_for(f, 10);
    }
    assert_int_equal(f->calls[0], 2);
    assert_int_equal(f->events, EPOLLIN);
    event_loop_forget(f->loop, f->pipes[0][0]);
    put_byte(f->pipes[0][1]);
    run_for(f, 10);
    assert_int_equal(f->calls[0], 2);
}

static void
test_watch_for_other_events(void **state)
{
    struct fixture *f = *state;
    int fd = f->pipes[0][1];

    /* The write end of a pipe is writable, but EPOLLOUT is not wanted. */
    assert_int_equal(event_loop_watch(f->loop, fd, EPOLLIN, on_byte, f), 0);
    run_for(f, 5);
    assert_int_equal(f->calls[0], 0);
    assert_int_equal(event_loop_watch(f->loop, fd, EPOLLOUT, on_byte, f), 0);
    run_for(f, 5);
    assert_true(f->calls[0] > 0);
    assert_int_equal(f->events, EPOLLOUT);
}

static void
test_many_fds(void **state)
{
    struct fixture *f = *state;
    int fd = fcntl(f->pipes[0][0], F_DUPFD_CLOEXEC, 700);

    assert_int_equal(event_loop_watch(f->loop, fd, EPOLLIN, on_byte, f), 0);
    put_byte(f->pipes[0][1]);
    run_for(f, 5);
    assert_int_equal(f->calls[0], 1);
    event_loop_forget(f->loop, fd);
    close(fd);
}

static void
test_bad_fds(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(event_loop_watch(f->loop, -1, EPOLLIN, on_byte, f), -1);
    assert_int_equal(errno, EBADF);
    event_loop_forget(f->loop, -1);
    event_loop_forget(f->loop, 5000);
    event_loop_forget(f->loop, f->pipes[0][0]);
}

/* Two fds have an event in one batch; the first handler forgets both. */
static void
forget_both(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;

    (void)events;
    f->calls[fd == f->pipes[1][0]]++;
    event_loop_forget(f->loop, f->pipes[0][0]);
    event_loop_forget(f->loop, f->pipes[1][0]);
}

static void
watch_both(struct fixture *f, event_loop_fd_handler *handler)
{
    for (int i = 0; i < 2; i++) {
        put_byte(f->pipes[i][1]);
        assert_int_equal(
            event_loop_watch(f->loop, f->pipes[i][0], EPOLLIN, handler, f), 0);
    }
}

static void
test_forgotten_in_the_batch(void **state)
{
    struct fixture *f = *state;

    watch_both(f, forget_both);
    run_for(f, 5);
    assert_int_equal(f->calls[0] + f->calls[1], 1);
}

/* The first handler changes the wanted events of the other fd. */
static void
turn_to_output(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;

    (void)fd;
    (void)events;
    f->calls[0]++;
    for (int i = 0; i < 2; i++) {
        event_loop_watch(f->loop, f->pipes[i][0], EPOLLOUT, turn_to_output, f);
    }
}

static void
test_changed_in_the_batch(void **state)
{
    struct fixture *f = *state;

    watch_both(f, turn_to_output);
    run_for(f, 5);
    assert_int_equal(f->calls[0], 1);
}

static void
count_error(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    strcpy(((struct fixture *)context)->order, "stale");
}

/* The first handler closes the other fd and opens one of the same number. */
static void
replace_other(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;
    int other = fd == f->pipes[0][0] ? 1 : 0;
    int quiet[2];

    (void)events;
    f->calls[0]++;
    event_loop_forget(f->loop, fd);
    event_loop_forget(f->loop, f->pipes[other][0]);
    assert_int_equal(pipe2(quiet, O_CLOEXEC), 0);
    assert_true(dup3(quiet[0], f->pipes[other][0], O_CLOEXEC) >= 0);
    event_loop_watch(f->loop, f->pipes[other][0], EPOLLIN, count_error, f);
    close(quiet[0]);
    f->calls[1] = quiet[1]; /* kept open: else the new fd has an event */
}

static void
test_replaced_in_the_batch(void **state)
{
    struct fixture *f = *state;

    watch_both(f, replace_other);
    run_for(f, 5);
    assert_int_equal(f->calls[0], 1);
    assert_string_equal(f->order, "");
    close(f->calls[1]);
}

/* An fd is closed without event_loop_forget; its number is watched again. */
static void
test_closed_without_forget(void **state)
{
    struct fixture *f = *state;
    int fd = f->pipes[0][0];

    assert_int_equal(event_loop_watch(f->loop, fd, EPOLLIN, on_byte, f), 0);
    assert_true(dup3(f->pipes[1][0], fd, O_CLOEXEC) >= 0);
    assert_int_equal(event_loop_watch(f->loop, fd, EPOLLIN, on_byte, f), 0);
    put_byte(f->pipes[1][1]);
    run_for(f, 5);
    assert_int_equal(f->calls[0], 1);
}

struct mark {
    struct event_loop_timer timer;
    struct fixture *fixture;
    char letter;
};

static void
on_mark(void *context)
{
    struct mark *mark = context;
    char letter[] = {mark->letter, '\0'};

    strcat(mark->fixture->order, letter);
}

static struct mark
mark_of(struct fixture *f, char letter)
{
    return (struct mark){
        .timer = {.handler = on_mark}, .fixture = f, .letter = letter};
}

static void
test_timers_in_order(void **state)
{
    struct fixture *f = *state;
    struct mark marks[4];
    int64_t delays_ms[] = {400, 100, 200, 100};

    for (size_t i = 0; i < 4; i++) {
        marks[i] = mark_of(f, "dacb"[i]);
        marks[i].timer.context = &marks[i];
        event_loop_arm(f->loop, &marks[i].timer, delays_ms[i]);
    }
    run_for(f, 500);
    assert_string_equal(f->order, "abcd");
}

static void
test_moved_and_disarmed(void **state)
{
    struct fixture *f = *state;
    struct mark moved = mark_of(f, 'm');
    struct mark gone = mark_of(f, 'g');
    struct mark late = mark_of(f, 'l');

    moved.timer.context = &moved;
    gone.timer.context = &gone;
    late.timer.context = &late;
    event_loop_arm(f->loop, &moved.timer, 1);
    event_loop_arm(f->loop, &gone.timer, 2);
    event_loop_arm(f->loop, &late.timer, 3);
    event_loop_arm(f->loop, &moved.timer, 6);
    event_loop_disarm(f->loop, &gone.timer);
    event_loop_disarm(f->loop, &gone.timer);
    assert_false(gone.timer.armed);
    run_for(f, 20);
    assert_string_equal(f->order, "lm");
}

static void
test_not_before_its_time(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = clock_mono_ms();

    run_for(f, 30);
    assert_in_range(clock_mono_ms() - start_ms, 30, 2000);
}

struct restless {
    struct event_loop_timer timer;
    struct fixture *fixture;
    int calls;
};

static void
again(void *context)
{
    struct restless *restless = context;

    if (restless->calls++ == 0) {
        put_byte(restless->fixture->pipes[0][1]);
    }
    if (restless->fixture->calls[0] == 0) {
        event_loop_arm(restless->fixture->loop, &restless->timer, 0);
    }
}

/* If a timer is always due, fds still get their turn. */
static void
test_restless_timer(void **state)
{
    struct fixture *f = *state;
    struct restless restless = {.timer = {.handler = again}, .fixture = f};

    restless.timer.context = &restless;
    assert_int_equal(
        event_loop_watch(f->loop, f->pipes[0][0], EPOLLIN, on_byte, f), 0);
    event_loop_arm(f->loop, &restless.timer, 0);
    for (int runs = 0; f->calls[0] == 0 && runs < 100; runs++) {
        run_for(f, 10);
    }
    assert_int_equal(f->calls[0], 1);
    assert_in_range(restless.calls, 1, 2);
}

static int
set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.loop = event_loop_open();
    f.end.handler = end_run;
    f.end.context = &f;
    *state = &f;
    return f.loop == NULL || pipe2(f.pipes[0], O_CLOEXEC) != 0 ||
           pipe2(f.pipes[1], O_CLOEXEC) != 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    event_loop_close(f->loop);
    for (int i = 0; i < 4; i++) {
        close(f->pipes[i / 2][i % 2]);
    }
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_watch),
        TEST(test_watch_for_other_events),
        TEST(test_many_fds),
        TEST(test_bad_fds),
        TEST(test_forgotten_in_the_batch),
        TEST(test_changed_in_the_batch),
        TEST(test_replaced_in_the_batch),
        TEST(test_closed_without_forget),
        TEST(test_timers_in_order),
        TEST(test_moved_and_disarmed),
        TEST(test_not_before_its_time),
        TEST(test_restless_timer),
    };

    return cmocka_run_group_tests_name("event_loop", tests, NULL, NULL);
}
