/*
 * line_file: lines in a real directory, with rotation, a removed directory and
 * a full disk. Root ignores permissions, so that a failing open(2) needs a
 * directory that is missing.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "callbacks/line_file.h"

struct fixture {
    char dir[32];
    char path[64];
    char rotated[64];
};

static int
setup(void **state)
{
    static struct fixture fixture;

    strcpy(fixture.dir, "/tmp/verve-unit-XXXXXX");
    if (mkdtemp(fixture.dir) == NULL) {
        return -1;
    }
    snprintf(fixture.path, sizeof(fixture.path), "%s/log", fixture.dir);
    snprintf(fixture.rotated, sizeof(fixture.rotated), "%s/log.1", fixture.dir);
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    const struct fixture *f = *state;

    unlink(f->path);
    unlink(f->rotated);
    return rmdir(f->dir);
}

static int
write_text(struct line_file *file, const char *text)
{
    return line_file_write(file, text, strlen(text));
}

static void
assert_content(const char *path, const char *wanted)
{
    char text[256];
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    assert_string_equal(text, wanted);
}

static void
test_lines_are_appended(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path);
    struct stat status;

    assert_int_equal(write_text(file, "one\n"), 0);
    line_file_close(file);
    file = line_file_open(f->path);
    assert_int_equal(write_text(file, "two\n"), 0);
    line_file_close(file);
    assert_content(f->path, "one\ntwo\n");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 07137, 0);
}

static void
test_reopen_follows_a_rotation(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path);

    write_text(file, "one\n");
    assert_int_equal(rename(f->path, f->rotated), 0);
    write_text(file, "two\n");
    line_file_reopen(file);
    write_text(file, "three\n");
    line_file_close(file);
    assert_content(f->rotated, "one\ntwo\n");
    assert_content(f->path, "three\n");
}

static void
test_a_missing_directory_is_tried_again(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file;

    assert_int_equal(rmdir(f->dir), 0);
    file = line_file_open(f->path);
    assert_non_null(file);
    assert_int_equal(write_text(file, "lost\n"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(write_text(file, "found\n"), 0);
    line_file_close(file);
    assert_content(f->path, "found\n");
}

/* Limits the size of files: for write(2) as good as a full disk. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_a_full_disk_tears_no_line(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path);
    int first, torn, none;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(10);
    first = write_text(file, "12345\n");
    torn = write_text(file, "67890\n");
    none = write_text(file, "more than ten bytes\n");
    limit_files(RLIM_INFINITY);
    assert_int_equal(first, 0);
    assert_int_equal(torn, -1);
    assert_int_equal(none, -1);
    assert_int_equal(write_text(file, "again\n"), 0);
    line_file_close(file);
    assert_content(f->path, "12345\nagain\n");
}

/* Neither open nor write blocks; alarm(2) ends the test if one does. */
static void
test_a_fifo_is_not_waited_for(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file;
    int reader, written = 0;

    assert_int_equal(mkfifo(f->path, 0600), 0);
    alarm(10);
    file = line_file_open(f->path);
    assert_int_equal(write_text(file, "lost\n"), -1);
    assert_int_equal(errno, ENXIO);
    reader = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    while (write_text(file, "a line\n") == 0) {
        written++;
    }
    assert_int_equal(errno, EAGAIN);
    assert_in_range(written, 500, 1000000);
    alarm(0);
    close(reader);
    line_file_close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_lines_are_appended),
        TEST(test_reopen_follows_a_rotation),
        TEST(test_a_missing_directory_is_tried_again),
        TEST(test_a_full_disk_tears_no_line),
        TEST(test_a_fifo_is_not_waited_for),
    };

    return cmocka_run_group_tests_name("line_file", tests, NULL, NULL);
}
