/*
 * sink_file: the lines of the file after each kind of failure. Each test has a
 * directory of its own and offers records of one-minute windows.
 */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "reports/record_format.h"
#include "reports/sinks.h"

/* Window i, i minutes after 2026-01-02T03:00:00Z. */
#define WINDOW(i) (INT64_C(1767322800) + 60 * (i))

struct fixture {
    struct options options;
    struct sink *sink;
    char dir[32];
    char path[64];
    char rotated[72];
    int delivered;
    int failed;
    int64_t delivered_s;
};

/* A fake of the disk: how many bytes of a file are synced, and whether
   fdatasync fails. */
static struct disk {
    ino_t inode;
    off_t synced;
    int syncs;
    bool broken;
} disk;

/* Replaces libc's fdatasync. */
int
fdatasync(int fd)
{
    struct stat status;

    if (disk.broken) {
        errno = EIO;
        return -1;
    }
    assert_int_equal(fstat(fd, &status), 0);
    disk.inode = status.st_ino;
    disk.synced = status.st_size;
    disk.syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

/* Delivered records must be on the disk. */
static void
assert_synced(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_ino, disk.inode);
    assert_int_equal(status.st_size, disk.synced);
}

static void
on_delivered(void *context, int64_t start_s)
{
    struct fixture *f = context;

    assert_synced(f->options.file.path);
    f->delivered++;
    f->delivered_s = start_s;
}

static void
on_failed(void *context, int64_t wait_ms)
{
    assert_in_range(wait_ms, 1, 1000);
    ((struct fixture *)context)->failed++;
}

static void
open_sink(struct fixture *f)
{
    struct sink_events events = {f, on_delivered, on_failed};

    f->sink = sink_file.open(&f->options, NULL, &events);
    assert_non_null(f->sink);
}

/* Restarts the sink, as after a kill: its memory is lost. */
static void
restart(struct fixture *f)
{
    sink_file.close(f->sink);
    open_sink(f);
}

/* Offers windows from..to. The count of window i is i. */
static void
offer(struct fixture *f, int from, int to)
{
    struct window_record records[64];
    size_t count = 0;

    for (int i = from; i <= to; i++) {
        records[count++] = (struct window_record){
            .start_s = WINDOW(i), .length_s = 60, .count = i};
    }
    sink_file.offer(f->sink, records, count);
}

static void
offer_ok(struct fixture *f, int from, int to)
{
    int before = f->delivered;

    offer(f, from, to);
    if (f->delivered != before + 1) {
        fail_msg("failed: %s", f->sink->error);
    }
    assert_int_equal(f->delivered_s, WINDOW(to));
}

static void
offer_bad(struct fixture *f, int from, int to, const char *why)
{
    int before = f->failed;

    offer(f, from, to);
    assert_int_equal(f->failed, before + 1);
    if (strstr(f->sink->error, why) == NULL) {
        fail_msg("the reason is not %s: %s", why, f->sink->error);
    }
}

static void
put(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static void
put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

/*
 * Returns the windows of the file's lines as "1 2 3", with "?" for a line that
 * is no record and "!" for a line without a newline.
 */
static const char *
window_closer_in(const char *path)
{
    static char shown[512];
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    shown[0] = '\0';
    assert_non_null(file);
    while ((len = getline(&line, &size, file)) > 0) {
        char word[24] = "?";
        int64_t start_s;

        if (line[len - 1] != '\n') {
            strcpy(word, "!");
        } else if (record_format_window(line, (size_t)len - 1, &start_s) == 0) {
            snprintf(word, sizeof(word), "%d",
                     (int)((start_s - WINDOW(0)) / 60));
        }
        if (shown[0] != '\0') {
            strcat(shown, " ");
        }
        strcat(shown, word);
    }
    free(line);
    fclose(file);
    return shown;
}

static void
test_lines(void **state)
{
    struct fixture *f = *state;
    struct stat status;

    umask(0);
    offer_ok(f, 1, 1);
    offer_ok(f, 2, 4);
    assert_string_equal(window_closer_in(f->path), "1 2 3 4");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(sink_file.last(f->sink), WINDOW(4));
}

static void
test_name(void **state)
{
    struct fixture *f = *state;
    char host[256] = "";
    char *name;

    gethostname(host, sizeof(host) - 1);
    assert_true(asprintf(&name, "file:%s:%s", host, f->path) > 0);
    assert_string_equal(f->sink->name, name);
    free(name);
    f->options.sink.name = (char *)"reporter-1";
    restart(f);
    assert_true(asprintf(&name, "file:reporter-1:%s", f->path) > 0);
    assert_string_equal(f->sink->name, name);
    free(name);
}

/* A kill after the line and before the cursor moved: a second offer. */
static void
test_offered_again(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 3);
    restart(f);
    assert_int_equal(sink_file.last(f->sink), WINDOW(3));
    offer_ok(f, 1, 3);
    offer_ok(f, 2, 5);
    assert_string_equal(window_closer_in(f->path), "1 2 3 4 5");
}

static void
test_format_changed(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 2);
    f->options.file.format = FORMAT_JSON;
    restart(f);
    offer_ok(f, 1, 4);
    f->options.file.format = FORMAT_TEXT;
    restart(f);
    offer_ok(f, 3, 5);
    assert_string_equal(window_closer_in(f->path), "1 2 3 4 5");
}

static void
test_torn_line(void **state)
{
    struct fixture *f = *state;
    /* A torn line may have all its bytes but the newline. */
    static const char torn[] = "2026-01-02T03:05:00.123Z INFO Unique requests"
                               " in the last minute: 4"
                               " window=2026-01-02T03:03:00Z";

    offer_ok(f, 1, 2);
    for (size_t len = 1; len < sizeof(torn); len += 9) {
        restart(f);
        put(f->path, torn, len);
        assert_int_equal(sink_file.last(f->sink), WINDOW(2));
        offer_ok(f, 2, 2);
        assert_string_equal(window_closer_in(f->path), "1 2");
    }
    put(f->path, torn, sizeof(torn) - 1);
    offer_ok(f, 2, 3);
    assert_string_equal(window_closer_in(f->path), "1 2 3");
}

/* A system crash can leave zero bytes at the end of a file. */
static void
test_zeros(void **state)
{
    struct fixture *f = *state;
    static const char zeros[4096];

    put(f->path, zeros, sizeof(zeros));
    offer_ok(f, 1, 1);
    put(f->path, zeros, sizeof(zeros));
    offer_ok(f, 2, 2);
    assert_string_equal(window_closer_in(f->path), "1 2");
}

static void
test_lines_of_others(void **state)
{
    struct fixture *f = *state;

    put_text(f->path, "an operator's note\n\n");
    offer_ok(f, 1, 2);
    put_text(f->path, "another, on window=2026-01-02T05:00:00Z\n");
    restart(f);
    offer_ok(f, 1, 3);
    assert_string_equal(window_closer_in(f->path), "? ? 1 2 ? 3");
}

/* The last record counts, also if the file is longer than its tail. */
static void
test_long_file(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1200; i += 40) {
        offer_ok(f, i, i + 39);
    }
    restart(f);
    assert_int_equal(sink_file.last(f->sink), WINDOW(1199));
    put_text(f->path, "torn");
    restart(f);
    offer_ok(f, 1190, 1200);
    assert_int_equal(sink_file.last(f->sink), WINDOW(1200));
}

static void
test_no_file_of_lines(void **state)
{
    struct fixture *f = *state;
    static char bytes[100 * 1024];
    struct stat status;

    memset(bytes, 'x', sizeof(bytes));
    put(f->path, bytes, sizeof(bytes));
    offer_bad(f, 1, 1, "it has no lines");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_size, sizeof(bytes));
}

/* A rotation is noticed without a HUP, and the rotated file's tail counts. */
static void
test_rotated(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 3);
    assert_int_equal(rename(f->path, f->rotated), 0);
    offer_ok(f, 4, 4);
    assert_string_equal(window_closer_in(f->rotated), "1 2 3");
    assert_string_equal(window_closer_in(f->path), "4");
}

static void
test_rotated_and_restarted(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 3);
    assert_int_equal(rename(f->path, f->rotated), 0);
    put(f->path, "", 0); /* logrotate's create */
    restart(f);
    assert_int_equal(sink_file.last(f->sink), WINDOW(3));
    offer_ok(f, 2, 5);
    assert_string_equal(window_closer_in(f->path), "4 5");
}

/* If the new file has only a torn line, the rotated file's tail counts. */
static void
test_rotated_and_torn(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 3);
    assert_int_equal(rename(f->path, f->rotated), 0);
    put_text(f->path, "2026-01");
    restart(f);
    offer_ok(f, 2, 4);
    assert_string_equal(window_closer_in(f->path), "4");
}

/* If the file has a record, the rotated file is not read. */
static void
test_own_tail_first(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 5);
    assert_int_equal(rename(f->path, f->rotated), 0);
    offer_ok(f, 6, 7);
    restart(f);
    offer_ok(f, 6, 8);
    assert_string_equal(window_closer_in(f->path), "6 7 8");
}

static void
test_removed(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 3);
    unlink(f->path);
    offer_ok(f, 3, 4);
    assert_string_equal(window_closer_in(f->path), "4");
}

static void
test_reopen(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 1);
    sink_file.reopen(f->sink);
    offer_ok(f, 2, 2);
    assert_string_equal(window_closer_in(f->path), "1 2");
}

static void
test_missing_directory(void **state)
{
    struct fixture *f = *state;
    char dir[80], path[96];

    snprintf(dir, sizeof(dir), "%s/later", f->dir);
    snprintf(path, sizeof(path), "%s/unique.log", dir);
    f->options.file.path = path;
    restart(f);
    assert_int_equal(sink_file.last(f->sink), 0);
    offer_bad(f, 1, 1, strerror(ENOENT));
    assert_int_equal(mkdir(dir, 0700), 0);
    offer_ok(f, 1, 1);
    assert_string_equal(window_closer_in(path), "1");
    unlink(path);
    rmdir(dir);
}

static void
test_not_a_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkfifo(f->path, 0600), 0);
    offer_bad(f, 1, 1, "not a regular file");
    unlink(f->path);
    offer_ok(f, 1, 1);
}

static void
limit_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/*
 * A full disk: if a line fits only in part, the file is cut back to the lines
 * before the offer. All lines are written once there is room again.
 */
static void
test_no_room(void **state)
{
    struct fixture *f = *state;
    rlim_t sizes[3] = {1, 100, 40};
    struct stat status;

    signal(SIGXFSZ, SIG_IGN);
    offer_ok(f, 1, 2);
    assert_int_equal(stat(f->path, &status), 0);
    for (int i = 0; i < 3; i++) {
        struct stat after;

        limit_size((rlim_t)status.st_size - 1 + sizes[i]);
        offer_bad(f, 3, 5, "cannot write");
        limit_size(0);
        assert_int_equal(stat(f->path, &after), 0);
        assert_int_equal(after.st_size, status.st_size);
    }
    offer_ok(f, 3, 5);
    assert_string_equal(window_closer_in(f->path), "1 2 3 4 5");
}

/* A stopped process may hold the lock for ever. */
static void
test_locked(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    offer_bad(f, 1, 1, "another process holds the lock");
    close(fd);
    offer_ok(f, 1, 1);
    assert_string_equal(window_closer_in(f->path), "1");
    fd = open(f->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB),
                     0); /* the sink released it */
    close(fd);
}

/* Two reporters on one host, in either order. */
static void
test_two_sinks(void **state)
{
    struct fixture *f = *state;
    struct sink *first = f->sink;

    open_sink(f);
    for (int i = 1; i < 8; i += 2) {
        offer_ok(f, i, i + 1);
        sink_file.offer(first,
                        &(struct window_record){.start_s = WINDOW(i + 1)}, 1);
    }
    sink_file.close(first);
    assert_string_equal(window_closer_in(f->path), "1 2 3 4 5 6 7 8");
}

/* A line of the future, written by hand or by a wrong clock. */
static void
test_a_line_of_the_future(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 2);
    offer_ok(f, 9, 9);
    restart(f);
    f->sink->implausible_from_s = WINDOW(6);
    assert_int_equal(sink_file.last(f->sink), WINDOW(2));
    assert_int_equal(f->sink->future_window_s, WINDOW(9));
    offer_ok(f, 2, 4);
    assert_string_equal(window_closer_in(f->path), "1 2 9 3 4");
    assert_int_equal(sink_file.last(f->sink), WINDOW(4));
}

/* A reporter that was stopped while it wrote a line has the lock of the rotated
   file: its line may still come. */
static void
test_the_rotated_file_is_locked(void **state)
{
    struct fixture *f = *state;
    int fd;

    offer_ok(f, 1, 2);
    fd = open(f->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(rename(f->path, f->rotated), 0);
    restart(f);
    offer_bad(f, 3, 3, "another process holds its lock");
    put_text(f->rotated,
             "x INFO Unique requests in the last minute: 3"
             " window=2026-01-02T03:03:00Z\n"); /* the reporter goes on */
    close(fd);
    offer_ok(f, 3, 4);
    assert_string_equal(window_closer_in(f->path), "4");
}

/* A line that could not be synced is not delivered, and is written again. */
static void
test_a_disk_that_fails(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 1);
    disk.broken = true;
    offer_bad(f, 2, 3, "cannot write: Input/output error");
    assert_string_equal(window_closer_in(f->path), "1");
    disk.broken = false;
    offer_ok(f, 2, 3);
    assert_string_equal(window_closer_in(f->path), "1 2 3");
}

/* Lines of a reporter that was killed before it synced them count only once
   they are synced, in the file and in the rotated file. */
static void
test_lines_that_are_not_synced(void **state)
{
    struct fixture *f = *state;

    offer_ok(f, 1, 2);
    restart(f);
    disk = (struct disk){.broken = true};
    assert_int_equal(sink_file.last(f->sink), 0);
    disk.broken = false;
    assert_int_equal(sink_file.last(f->sink), WINDOW(2));
    assert_synced(f->path);
    assert_int_equal(rename(f->path, f->rotated), 0);
    restart(f);
    disk = (struct disk){.broken = true};
    assert_int_equal(sink_file.last(f->sink), 0);
    offer_bad(f, 2, 2, "cannot sync what was rotated away: Input/output error");
    disk = (struct disk){0};
    assert_int_equal(sink_file.last(f->sink), WINDOW(2));
    assert_synced(f->rotated);
    /* The same holds for an offer of records that are in the file already. */
    assert_int_equal(rename(f->rotated, f->path), 0);
    restart(f);
    disk = (struct disk){0};
    offer_ok(f, 2, 2);
    assert_int_equal(disk.syncs, 1);
}

static int
set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    disk = (struct disk){0};
    strcpy(f.dir, "/tmp/verve-unit-XXXXXX");
    if (mkdtemp(f.dir) == NULL) {
        return -1;
    }
    snprintf(f.path, sizeof(f.path), "%s/unique.log", f.dir);
    snprintf(f.rotated, sizeof(f.rotated), "%s.1", f.path);
    f.options.file.path = f.path;
    f.options.file.format = FORMAT_TEXT;
    f.options.sink.name = (char *)"";
    f.options.window.seconds = 60;
    open_sink(&f);
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    sink_file.close(f->sink);
    unlink(f->path);
    unlink(f->rotated);
    return rmdir(f->dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_name),
        TEST(test_offered_again),
        TEST(test_format_changed),
        TEST(test_torn_line),
        TEST(test_zeros),
        TEST(test_lines_of_others),
        TEST(test_long_file),
        TEST(test_no_file_of_lines),
        TEST(test_rotated),
        TEST(test_rotated_and_restarted),
        TEST(test_rotated_and_torn),
        TEST(test_own_tail_first),
        TEST(test_removed),
        TEST(test_reopen),
        TEST(test_missing_directory),
        TEST(test_not_a_file),
        TEST(test_no_room),
        TEST(test_locked),
        TEST(test_two_sinks),
        TEST(test_a_line_of_the_future),
        TEST(test_the_rotated_file_is_locked),
        TEST(test_a_disk_that_fails),
        TEST(test_lines_that_are_not_synced),
    };

    return cmocka_run_group_tests_name("sink_file", tests, NULL, NULL);
}
