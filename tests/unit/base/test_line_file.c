/*
 * line_file: lines in a real directory, with rotation, a removed directory and
 * a full disk; and on stdout, which each test makes what it needs. Root ignores
 * permissions, so that a failing open(2) needs a directory that is missing.
 */
#define _GNU_SOURCE /* pipe2 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "base/line_file.h"

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
    return line_file_follow(file) < 0
               ? -1
               : line_file_write(file, text, strlen(text));
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
    struct line_file *file = line_file_open(f->path, O_WRONLY);
    struct stat status;

    assert_int_equal(write_text(file, "one\n"), 0);
    line_file_close(file);
    file = line_file_open(f->path, O_WRONLY);
    assert_int_equal(write_text(file, "two\n"), 0);
    line_file_close(file);
    assert_content(f->path, "one\ntwo\n");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 07137, 0);
}

/* Without a word from whoever moved the file. */
static void
test_a_moved_file_is_left(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path, O_WRONLY);

    write_text(file, "one\n");
    assert_int_equal(line_file_follow(file), 0);
    assert_int_equal(rename(f->path, f->rotated), 0);
    assert_int_equal(line_file_follow(file), 1);
    write_text(file, "two\n");
    assert_int_equal(rename(f->path, f->rotated), 0);
    close(open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    write_text(file, "three\n");
    assert_content(f->rotated, "two\n");
    assert_content(f->path, "three\n");
    line_file_close(file);
}

static void
test_a_removed_file_is_made_again(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path, O_WRONLY);

    write_text(file, "one\n");
    assert_int_equal(unlink(f->path), 0);
    write_text(file, "two\n");
    assert_content(f->path, "two\n");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(write_text(file, "lost\n"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(line_file_fd(file), -1);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    write_text(file, "three\n");
    assert_content(f->path, "three\n");
    line_file_close(file);
}

static void
test_a_released_file_is_opened_again(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path, O_WRONLY);

    assert_int_equal(line_file_fd(file), -1);
    write_text(file, "one\n");
    line_file_release(file);
    assert_int_equal(line_file_fd(file), -1);
    assert_int_equal(line_file_follow(file), 1);
    write_text(file, "two\n");
    line_file_close(file);
    assert_content(f->path, "one\ntwo\n");
}

static void
test_a_missing_directory_is_tried_again(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file;

    assert_int_equal(rmdir(f->dir), 0);
    file = line_file_open(f->path, O_WRONLY);
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
    struct line_file *file = line_file_open(f->path, O_WRONLY);
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
    file = line_file_open(f->path, O_WRONLY);
    assert_int_equal(write_text(file, "lost\n"), -1);
    assert_int_equal(errno, ENXIO);
    assert_string_equal(line_file_strerror(errno),
                        "it is a FIFO without a reader");
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

/* Makes fd the program's stdout. Returns the former, for give_back. */
static int
take_stdout(int fd)
{
    int saved;

    fflush(stdout);
    saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    return saved;
}

static void
give_back(int saved)
{
    dup2(saved, STDOUT_FILENO);
    close(saved);
}

/* A full pipe holds up nobody, and nobody else's descriptor is changed. */
static void
test_stdout_is_a_pipe(void **state)
{
    struct line_file *file = line_file_open("/dev/stdout", O_RDWR);
    char line[100], read_back[PIPE_BUF];
    int ends[2], saved, flags, opened, written = 0, error, again;
    bool standard;

    (void)state;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    saved = take_stdout(ends[1]);
    alarm(10);
    opened = line_file_follow(file);
    standard = line_file_is_standard(file);
    while (line_file_follow(file) == 0 &&
           line_file_write(file, line, sizeof(line)) == 0) {
        written++;
    }
    error = errno;
    flags = fcntl(STDOUT_FILENO, F_GETFL);
    (void)!read(ends[0], read_back, sizeof(read_back));
    again = write_text(file, "again\n");
    alarm(0);
    give_back(saved);
    assert_int_equal(opened, 1);
    assert_true(standard);
    assert_in_range(written, 500, 1000000);
    assert_int_equal(error, EAGAIN);
    assert_int_equal(flags & O_NONBLOCK, 0);
    assert_int_equal(again, 0);
    line_file_close(file);
    close(ends[0]);
    close(ends[1]);
}

static void
test_the_reader_of_stdout_has_gone(void **state)
{
    struct line_file *file = line_file_open("/dev/stdout", O_WRONLY);
    int ends[2], saved, before, after, error;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    saved = take_stdout(ends[1]);
    before = write_text(file, "read\n");
    close(ends[0]);
    after = write_text(file, "lost\n");
    error = errno;
    give_back(saved);
    assert_int_equal(before, 0);
    assert_int_equal(after, -1);
    assert_int_equal(error, EPIPE);
    line_file_close(file);
    close(ends[1]);
}

/* As with journald: a socket can't be opened by its path. */
static void
test_stdout_is_a_socket(void **state)
{
    struct line_file *file = line_file_open("/dev/stdout", O_WRONLY);
    char text[32] = "";
    int ends[2], saved, first, last, error;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    saved = take_stdout(ends[1]);
    first = write_text(file, "one\n");
    line_file_release(file);
    first |= write_text(file, "two\n");
    (void)!read(ends[0], text, sizeof(text) - 1);
    alarm(10);
    do {
        last = write_text(file, "a line\n");
        error = errno;
    } while (last == 0);
    alarm(0);
    give_back(saved);
    assert_int_equal(first, 0);
    assert_string_equal(text, "one\ntwo\n");
    assert_int_equal(error, EAGAIN);
    line_file_close(file);
    close(ends[0]);
    close(ends[1]);
}

/* All who have it share one offset: nobody overwrites the others' lines. */
static void
test_stdout_is_a_file(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open("/dev/stdout", O_RDWR);
    struct line_file *same = line_file_open(f->path, O_WRONLY);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int saved = take_stdout(fd);
    bool standard[2];

    (void)!write(fd, "1\n", 2);
    write_text(file, "2\n");
    (void)!write(fd, "3\n", 2);
    write_text(file, "4\n");
    line_file_follow(same);
    standard[0] = line_file_is_standard(file);
    standard[1] = line_file_is_standard(same);
    give_back(saved);
    assert_true(standard[0]);
    assert_false(standard[1]); /* by its own name it is a file */
    assert_content(f->path, "1\n2\n3\n4\n");
    line_file_close(file);
    line_file_close(same);
    close(fd);
}

/* As images of containers do it: a log that is a link to /dev/stdout. */
static void
test_a_link_to_stdout(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open(f->path, O_RDWR);
    char text[32] = "";
    int ends[2], saved;
    bool named, standard;

    assert_int_equal(symlink("/dev/stdout", f->path), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    saved = take_stdout(ends[1]);
    named = line_file_names_standard(f->path);
    write_text(file, "line\n");
    standard = line_file_is_standard(file);
    give_back(saved);
    (void)!read(ends[0], text, sizeof(text) - 1);
    assert_true(named);
    assert_true(standard);
    assert_string_equal(text, "line\n");
    line_file_close(file);
    close(ends[0]);
    close(ends[1]);
}

/* A part of a line on a full disk: the next line is whole. */
static void
test_a_torn_line_on_stdout_is_ended(void **state)
{
    const struct fixture *f = *state;
    struct line_file *file = line_file_open("/dev/stdout", O_WRONLY);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int saved = take_stdout(fd), torn;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(3);
    torn = write_text(file, "12345\n");
    limit_files(RLIM_INFINITY);
    write_text(file, "67890\n");
    give_back(saved);
    assert_int_equal(torn, -1);
    assert_content(f->path, "123\n67890\n");
    line_file_close(file);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_lines_are_appended),
        TEST(test_a_moved_file_is_left),
        TEST(test_a_removed_file_is_made_again),
        TEST(test_a_released_file_is_opened_again),
        TEST(test_a_missing_directory_is_tried_again),
        TEST(test_a_full_disk_tears_no_line),
        TEST(test_a_fifo_is_not_waited_for),
        TEST(test_stdout_is_a_pipe),
        TEST(test_the_reader_of_stdout_has_gone),
        TEST(test_stdout_is_a_socket),
        TEST(test_stdout_is_a_file),
        TEST(test_a_link_to_stdout),
        TEST(test_a_torn_line_on_stdout_is_ended),
    };

    return cmocka_run_group_tests_name("line_file", tests, NULL, NULL);
}
