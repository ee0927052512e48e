/*
 * test_stats_file: sums of counters are exact and never become smaller, however
 * processes end; a file that cannot be used is left alone, and the process
 * counts in its own memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats/stats_file.h"

enum {
    COUNTED,  /* STATS_COUNTER */
    ALIVE,    /* STATS_SUM */
    HIGHEST,  /* STATS_MOST */
    LOWEST,   /* STATS_LEAST */
    COUNTED2, /* STATS_COUNTER */
    PER_PROCESS = 1000,
};

static const struct stats_layout layout = {
    .id = 7,
    .merge = {STATS_COUNTER, STATS_SUM, STATS_MOST, STATS_LEAST, STATS_COUNTER},
};

static char folder[64];
static char path[128];

static int
set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/verve-stats-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/fcgi", folder);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct stats_file *
open_with(const struct stats_layout *with)
{
    char why[STATS_WHY_SIZE];
    struct stats_file *file = stats_file_open(path, with, why);

    assert_non_null(file);
    assert_string_equal(why, "");
    return file;
}

/* Expects that the file is not used, for a reason that has these words. */
static void
expect_refused(const char *words)
{
    char why[STATS_WHY_SIZE];
    struct stats_file *file = stats_file_open(path, &layout, why);
    uint64_t sums[STATS_CELLS];

    assert_non_null(file);
    if (strstr(why, words) == NULL || strstr(why, path) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", why, words);
    }
    stats_add(&stats_file_cells(file)[COUNTED], 3);
    stats_file_sum(file, sums);
    assert_int_equal(sums[COUNTED], 3);
    stats_file_close(file);
}

static uint64_t
sum_of(const struct stats_file *file, int cell)
{
    uint64_t sums[STATS_CELLS];

    stats_file_sum(file, sums);
    return sums[cell];
}

/* What a child does with the file; it never returns from it. */
static pid_t
start_child(void (*work)(int out), int *in)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        work(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    *in = ends[0];
    return pid;
}

static void
end_child(pid_t pid, int in)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(in);
}

static void
count_and_wait(int out)
{
    char why[STATS_WHY_SIZE];
    struct stats_file *file = stats_file_open(path, &layout, why);
    uint64_t *cells;

    if (file == NULL || why[0] != '\0') {
        _exit(1);
    }
    cells = stats_file_cells(file);
    stats_set(&cells[ALIVE], 1);
    stats_set(&cells[HIGHEST], (uint64_t)getpid());
    stats_set(&cells[LOWEST], (uint64_t)getpid());
    for (int i = 0; i < PER_PROCESS; i++) {
        stats_add(&cells[COUNTED], 1);
        stats_add(&cells[COUNTED2], 2);
    }
    if (write(out, "x", 1) == 1) {
        pause();
    }
}

/* Takes slots and gives them back until it is killed, and counts nothing. */
static void
take_slots(int out)
{
    char why[STATS_WHY_SIZE];

    if (write(out, "x", 1) == 1) {
        for (;;) {
            stats_file_close(stats_file_open(path, &layout, why));
        }
    }
}

static void
await_child(int in)
{
    char byte;

    assert_int_equal(read(in, &byte, 1), 1);
}

static void
test_gauges_are_those_of_the_living(void **state)
{
    struct stats_file *file = open_with(&layout);
    pid_t pids[3];
    int ins[3];

    (void)state;
    assert_int_equal(sum_of(file, ALIVE), 0);
    stats_set(&stats_file_cells(file)[ALIVE], 1);
    stats_set(&stats_file_cells(file)[LOWEST], UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        pids[i] = start_child(count_and_wait, &ins[i]);
        await_child(ins[i]);
    }
    assert_int_equal(sum_of(file, ALIVE), 4);
    assert_int_equal(sum_of(file, HIGHEST), pids[2]);
    assert_int_equal(sum_of(file, LOWEST), pids[0]);
    end_child(pids[0], ins[0]);
    assert_int_equal(sum_of(file, ALIVE), 3);
    assert_int_equal(sum_of(file, LOWEST), pids[1]);
    assert_int_equal(sum_of(file, COUNTED), 3 * PER_PROCESS);
    end_child(pids[1], ins[1]);
    end_child(pids[2], ins[2]);
    stats_file_close(file);

    file = open_with(&layout);
    assert_int_equal(sum_of(file, ALIVE), 0);
    assert_int_equal(sum_of(file, COUNTED), 3 * PER_PROCESS);
    stats_file_close(file);
}

static void
test_sums_are_exact_after_kills(void **state)
{
    enum { ROUNDS = 60, TOGETHER = 4, DISTURBERS = 2 };
    struct stats_file *file = open_with(&layout);
    uint64_t last = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pids[TOGETHER + DISTURBERS];
        int ins[TOGETHER + DISTURBERS];

        for (int i = 0; i < TOGETHER + DISTURBERS; i++) {
            pids[i] = start_child(i < TOGETHER ? count_and_wait : take_slots,
                                  &ins[i]);
        }
        for (int i = 0; i < TOGETHER + DISTURBERS; i++) {
            uint64_t sum;

            await_child(ins[i]);
            sum = sum_of(file, COUNTED);
            assert_true(sum >= last);
            last = sum;
        }
        /* The disturbers last: they add the slots of the others. */
        for (int i = 0; i < TOGETHER + DISTURBERS; i++) {
            end_child(pids[i], ins[i]);
            assert_true(sum_of(file, COUNTED) >= last);
        }
        last = (uint64_t)(round + 1) * TOGETHER * PER_PROCESS;
        assert_int_equal(sum_of(file, COUNTED), last);
        assert_int_equal(sum_of(file, COUNTED2), 2 * last);
    }
    stats_file_close(file);
}

/* Writes a number of the file: page 0 is the header, 1 and 2 the departed. */
static void
poke(int page, int at, uint64_t value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(
        pwrite(fd, &value, 8, (off_t)page * STATS_SLOT_BYTES + at * 8), 8);
    close(fd);
}

/* A process that was killed while it added slot 1 to the departed. */
static void
test_adding_is_all_or_nothing(void **state)
{
    enum { STATE = 3 };
    struct stats_file *reader = open_with(&layout);
    struct stats_file *other = open_with(&layout);

    (void)state;
    stats_add(&stats_file_cells(other)[COUNTED], 5);
    stats_file_close(other);
    assert_int_equal(sum_of(reader, COUNTED), 5);

    poke(2, COUNTED, 77); /* half of the sum was written, and is not valid */
    assert_int_equal(sum_of(reader, COUNTED), 5);

    poke(2, COUNTED, 5); /* the sum is valid, and the slot is not cleared */
    poke(0, STATE, UINT64_C(9) << 16 | 1 << 8 | 2);
    assert_int_equal(sum_of(reader, COUNTED), 5);
    other = open_with(&layout);
    assert_int_equal(sum_of(reader, COUNTED), 5);
    stats_add(&stats_file_cells(other)[COUNTED], 1);
    assert_int_equal(sum_of(reader, COUNTED), 6);
    stats_file_close(other);
    stats_file_close(reader);
}

static void
test_another_layout_gets_a_new_file(void **state)
{
    static const struct stats_layout other = {.id = 8,
                                              .merge = {STATS_COUNTER}};
    struct stats_file *file = open_with(&layout);
    struct stats_file *changed;

    (void)state;
    stats_add(&stats_file_cells(file)[COUNTED], 5);
    changed = open_with(&other);
    assert_int_equal(sum_of(changed, COUNTED), 0);
    stats_add(&stats_file_cells(changed)[COUNTED], 1);
    assert_int_equal(sum_of(file, COUNTED), 5); /* goes on with the old file */
    assert_int_equal(sum_of(changed, COUNTED), 1);
    stats_file_close(file);
    stats_file_close(changed);
}

static void
test_a_cut_off_file_of_ours_is_replaced(void **state)
{
    struct stats_file *file = open_with(&layout);

    (void)state;
    stats_add(&stats_file_cells(file)[COUNTED], 5);
    stats_file_close(file);
    assert_int_equal(truncate(path, 5000), 0);
    file = open_with(&layout);
    assert_int_equal(sum_of(file, COUNTED), 0);
    stats_file_close(file);
    assert_int_equal(truncate(path, 0), 0);
    file = open_with(&layout);
    stats_file_close(file);
}

static void
test_a_file_that_is_not_ours_is_left_alone(void **state)
{
    static const char text[] = "This is a letter, and longer than a header.";
    char found[sizeof(text)] = "";
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    close(fd);
    expect_refused("no file of verve's");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, found, sizeof(found)), sizeof(text));
    close(fd);
    assert_string_equal(found, text);
}

static void
test_refuses_what_others_may_change(void **state)
{
    char other[160];

    (void)state;
    stats_file_close(open_with(&layout));
    assert_int_equal(chmod(path, 0660), 0);
    expect_refused("may write to it");
    assert_int_equal(chmod(path, 0600), 0);

    snprintf(other, sizeof(other), "%s/other", folder);
    assert_int_equal(link(path, other), 0);
    expect_refused("another name");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(other, path), 0);
    expect_refused(strerror(ELOOP));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(other), 0);

    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused("no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(strerror(EISDIR));
    assert_int_equal(rmdir(path), 0);
    if (geteuid() == 0) {
        stats_file_close(open_with(&layout));
        assert_int_equal(chown(path, 1, 1), 0);
        expect_refused("another user");
    }
}

/* A full disk is an error when the file is made, not a SIGBUS later. */
static void
test_a_full_disk(void **state)
{
    struct rlimit limit, small;

    (void)state;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){.rlim_cur = 8192, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_refused(strerror(EFBIG));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    stats_file_close(open_with(&layout));
}

static void
test_a_missing_folder(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    expect_refused(strerror(ENOENT));
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void
test_more_processes_than_slots(void **state)
{
    struct stats_file *files[STATS_SLOTS];

    (void)state;
    for (int i = 0; i < STATS_SLOTS; i++) {
        files[i] = open_with(&layout);
        stats_add(&stats_file_cells(files[i])[COUNTED], 1);
    }
    {
        char why[STATS_WHY_SIZE];
        struct stats_file *late = stats_file_open(path, &layout, why);

        assert_non_null(strstr(why, path));
        stats_add(&stats_file_cells(late)[COUNTED], 1); /* has no effect */
        assert_int_equal(sum_of(late, COUNTED), STATS_SLOTS);
        stats_file_close(late);
    }
    for (int i = 0; i < STATS_SLOTS; i++) {
        stats_file_close(files[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gauges_are_those_of_the_living),
        TEST(test_sums_are_exact_after_kills),
        TEST(test_adding_is_all_or_nothing),
        TEST(test_another_layout_gets_a_new_file),
        TEST(test_a_cut_off_file_of_ours_is_replaced),
        TEST(test_a_file_that_is_not_ours_is_left_alone),
        TEST(test_refuses_what_others_may_change),
        TEST(test_a_full_disk),
        TEST(test_a_missing_folder),
        TEST(test_more_processes_than_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
