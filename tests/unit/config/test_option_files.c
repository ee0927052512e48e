/*
 * test_option_files: the files that keys name (logs, secrets) and the warnings.
 * A child process without root's rights looks at paths, because root may write
 * everywhere.
 */
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "config/log_path.h"
#include "options_loaded.h"

enum { NOBODY = 65534 };

static char expected[4096];
static char other[128]; /* a path in the directory */

static bool
uses_all(const struct options *options, const char *key)
{
    (void)options;
    (void)key;
    return true;
}

static bool
uses_redis(const struct options *options, const char *key)
{
    (void)options;
    return strncmp(key, "redis.", 6) == 0;
}

/* The path of name in the directory; valid until the next call. */
static const char *
in_directory(const char *name)
{
    snprintf(other, sizeof(other), "%s/%s", directory, name);
    return other;
}

static void
make_file(const char *name, const char *bytes, size_t len, mode_t mode)
{
    int fd = open(in_directory(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/*
 * The answer of log_path_check in a process without rights; "" if the path is
 * right. Nothing may appear in the directory.
 */
static const char *
checked_by_nobody(const char *name, bool is_read)
{
    static char answer[LOG_PATH_WHY_SIZE];
    int ends[2];
    ssize_t len;
    int status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char why[LOG_PATH_WHY_SIZE] = "";

        dup2(ends[1], STDOUT_FILENO); /* root's pipe, if this is root */
        if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
                              setuid(NOBODY) != 0)) {
            _exit(1);
        }
        if (log_path_check(name, is_read, why) == 0) {
            why[0] = '\0';
        }
        (void)!write(ends[1], why, strlen(why));
        _exit(0);
    }
    close(ends[1]);
    len = read(ends[0], answer, sizeof(answer) - 1);
    close(ends[0]);
    assert_true(len >= 0);
    answer[len] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return answer;
}

static uid_t
nobody(void)
{
    return getuid() == 0 ? NOBODY : getuid();
}

static void
test_missing_folders(void **state)
{
    (void)state;
    assert_int_equal(chmod(directory, 0755), 0);
    snprintf(expected, sizeof(expected),
             "there is no folder \"%s/no/such\"; make it, with the right to "
             "write for the user of this program",
             directory);
    assert_string_equal(checked_by_nobody(in_directory("no/such/log"), false),
                        expected);
    make_file("file", "", 0, 0666);
    snprintf(expected, sizeof(expected), "\"%s/file\" is not a folder",
             directory);
    assert_string_equal(checked_by_nobody(in_directory("file/log"), true),
                        expected);
    unlink(in_directory("file"));
    assert_int_equal(chmod(directory, 0700), 0);
}

static void
test_folders_in_place_of_files(void **state)
{
    (void)state;
    snprintf(expected, sizeof(expected),
             "\"%s\" is a folder; name a file in it", directory);
    assert_string_equal(checked_by_nobody(directory, false), expected);
    snprintf(expected, sizeof(expected),
             "\"%s/new/\" is a folder; name a file in it", directory);
    assert_string_equal(checked_by_nobody(in_directory("new/"), false),
                        expected);
}

static void
test_rights(void **state)
{
    (void)state;
    assert_int_equal(chmod(directory, 0555), 0);
    snprintf(expected, sizeof(expected),
             "user %u cannot make a file in \"%s\": Permission denied",
             (unsigned)nobody(), directory);
    assert_string_equal(checked_by_nobody(in_directory("log"), false),
                        expected);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_string_equal(checked_by_nobody(in_directory("log"), true), "");
    assert_int_not_equal(access(in_directory("log"), F_OK), 0);

    make_file("log", "", 0, 0444);
    snprintf(expected, sizeof(expected),
             "user %u cannot write \"%s/log\": Permission denied",
             (unsigned)nobody(), directory);
    assert_string_equal(checked_by_nobody(in_directory("log"), false),
                        expected);
    make_file("log", "", 0, 0222);
    assert_string_equal(checked_by_nobody(in_directory("log"), false), "");
    snprintf(expected, sizeof(expected),
             "user %u cannot read and write \"%s/log\": Permission denied",
             (unsigned)nobody(), directory);
    if (getuid() == 0) { /* else the file is nobody's own: no difference */
        assert_string_equal(checked_by_nobody(in_directory("log"), true),
                            expected);
    }
    /* A file of its own needs no right to its folder. */
    make_file("log", "", 0, 0666);
    assert_int_equal(chmod(directory, 0555), 0);
    assert_string_equal(checked_by_nobody(in_directory("log"), true), "");
    assert_int_equal(chmod(directory, 0700), 0);
    unlink(in_directory("log"));
}

/* What is no regular file but may be written; a link to a file to come. */
static void
test_other_files(void **state)
{
    static const char *const right[] = {
        "/dev/null",          "/dev/stdout", "/dev/stderr",
        "/proc/self/fd/1234", "/dev/fd/1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_string_equal(checked_by_nobody(right[i], false), "");
    }
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(mkfifo(in_directory("fifo"), 0600), 0);
    assert_int_equal(chmod(other, 0622), 0);
    assert_string_equal(checked_by_nobody(other, false), "");
    snprintf(expected, sizeof(expected), "\"%s\" is not a regular file", other);
    assert_string_equal(checked_by_nobody(other, true), expected);
    unlink(other);
    assert_int_equal(symlink("/nowhere/log", in_directory("link")), 0);
    assert_string_equal(checked_by_nobody(other, false), "");
    unlink(other);
    assert_int_equal(symlink("/dev/stdout", in_directory("link")), 0);
    assert_string_equal(checked_by_nobody(other, true), "");
    unlink(other);
    assert_int_equal(chmod(directory, 0700), 0);
}

/* Nobody can append to these. A block device is only for root to make. */
static void
test_sockets_and_block_devices(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(chmod(directory, 0755), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s",
             in_directory("socket"));
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chmod(other, 0666), 0);
    snprintf(expected, sizeof(expected), "\"%s\" is a socket", other);
    assert_string_equal(checked_by_nobody(other, false), expected);
    assert_string_equal(checked_by_nobody(other, true), expected);
    unlink(other);
    close(fd);
    if (mknod(in_directory("block"), S_IFBLK | 0666, makedev(7, 0)) == 0) {
        snprintf(expected, sizeof(expected), "\"%s\" is a block device", other);
        assert_string_equal(checked_by_nobody(other, false), expected);
        unlink(other);
    }
    assert_int_equal(chmod(directory, 0700), 0);
}

/* Complains of the files that a program uses, with the line of the key. */
static void
test_only_used_files_are_checked(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "[callbacks]\nlog = /nowhere/log\n"
                       "secret_file = /nowhere/secret\n"
                       "[file]\npath = /dev/stdout\n");
    assert_int_equal(loaded.result, 0);
    assert_int_equal(options_check_files(&loaded.options, uses_redis, collect,
                                         loaded.complaints),
                     0);
    loaded.result = options_check_files(&loaded.options, uses_all, collect,
                                        loaded.complaints);
    assert_complaints(
        &loaded,
        ":3: callbacks.secret_file: \"/nowhere/secret\" cannot be used: No "
        "such file or directory\n"
        ":2: callbacks.log: there is no folder \"/nowhere\"; make it, with "
        "the right to write for the user of this program\n");
}

/* Loads a file in which all secrets are in the file `secret`. */
static void
load_secrets(struct loaded *loaded)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "[redis]\nurl = redis://u@h\npassword_file = %s/secret\n"
             "[callbacks]\nsecret_file = %s/secret\n"
             "[kafka]\na.b = c\nsasl.password_file = %s/secret\nd = e\n",
             directory, directory, directory);
    load_text(loaded, text);
    assert_string_equal(loaded->complaints, "");
}

static void
read_secrets(struct loaded *loaded)
{
    static const char *const keys[] = {"redis.password", "callbacks.secret",
                                       "kafka.sasl.password"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        loaded->result |= options_read_secret(&loaded->options, keys[i],
                                              collect, loaded->complaints);
    }
}

static void
test_secrets_in_files(void **state)
{
    static const char *const texts[] = {"s e'c", "s e'c\n", "s e'c\r\n",
                                        "s e'c\n\n"};
    struct loaded loaded;
    const struct options *options = &loaded.options;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        make_file("secret", texts[i], strlen(texts[i]), 0400);
        load_secrets(&loaded);
        assert_string_equal(options->redis.password, "");
        read_secrets(&loaded);
        assert_string_equal(loaded.complaints, "");
        assert_string_equal(options->redis.password, "s e'c");
        assert_string_equal(options->callbacks.secret, "s e'c");
        assert_int_equal(options->kafka.properties.count, 3);
        assert_string_equal(options->kafka.properties.items[1].name,
                            "sasl.password");
        assert_string_equal(options->kafka.properties.items[1].value, "s e'c");
        options_complain(options, "callbacks.secret: bad", collect,
                         loaded.complaints);
        options_complain(options, "kafka.sasl.password: bad", collect,
                         loaded.complaints);
        loaded.result = -1;
        assert_complaints(&loaded, ":5: callbacks.secret_file: bad\n"
                                   ":8: kafka.sasl.password_file: bad\n");
    }
    unlink(in_directory("secret"));
}

/* Each row has the bytes of a file and the reason why they are refused. */
static void
test_wrong_secrets(void **state)
{
    static char much[8193];
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        {"", 0, " cannot be used: it is empty"},
        {"\n", 1, " cannot be used: it is empty"},
        {"hunter2\0x", 9, " cannot be used: it has a NUL byte"},
        {much, sizeof(much), " cannot be used: File too large"},
        {"hunter2\nx", 9,
         ": the value is not text of 0 to 1024 bytes without control bytes"},
        {much, 1025,
         ": the value is not text of 0 to 1024 bytes without control bytes"},
    };

    (void)state;
    memset(much, 'x', sizeof(much));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        make_file("secret", rows[i].bytes, rows[i].len, 0400);
        load_secrets(&loaded);
        loaded.result = options_read_secret(&loaded.options, "callbacks.secret",
                                            collect, loaded.complaints);
        snprintf(expected, sizeof(expected),
                 ":5: callbacks.secret_file: \"%s/secret\"%s\n", directory,
                 rows[i].why);
        assert_complaints(&loaded, expected);
    }
    unlink(in_directory("secret"));
}

/* If reading waited for a writer, the alarm would end the test. */
static void
test_secrets_in_no_regular_file(void **state)
{
    struct loaded loaded;

    (void)state;
    alarm(60);
    assert_int_equal(mkfifo(in_directory("secret"), 0600), 0);
    load_secrets(&loaded);
    read_secrets(&loaded);
    snprintf(expected, sizeof(expected),
             ":3: redis.password_file: \"%s/secret\" cannot be used: it is not "
             "a regular file\n"
             ":5: callbacks.secret_file: \"%s/secret\" cannot be used: it is "
             "not a regular file\n"
             ":8: kafka.sasl.password_file: \"%s/secret\" cannot be used: it "
             "is not a regular file\n",
             directory, directory, directory);
    assert_complaints(&loaded, expected);
    unlink(in_directory("secret"));
    alarm(0);
}

static void
assert_warnings(struct loaded *loaded, char *const *environment,
                const char *warnings)
{
    options_warn(&loaded->options, uses_all, environment, collect,
                 loaded->complaints);
    if (warnings[0] == '\0') {
        assert_string_equal(loaded->complaints, "");
        options_fini(&loaded->options);
        return;
    }
    loaded->result = -1;
    assert_complaints(loaded, warnings);
}

static void
test_unknown_variables(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_RDIS_URL=hunter2"},
        (char[]){"VERVE_CALBACK_SECRET=1"},
        (char[]){"VERVE_REDISURL=1"},
        (char[]){"VERVE_URL=1"},
        (char[]){"VERVE_KAKFA_SASL_PASSWORD_FILE=1"},
        (char[]){"VERVE_COLOUR=1"},
        (char[]){"VERVE_=1"},
        NULL,
    };
    char *const right[] = {
        (char[]){"VERVE_REDIS_URL=x"},
        (char[]){"VERVE_CONF=x"},
        (char[]){"VERVE_FCGI=x"},
        (char[]){"VERVE_REDIS_IMAGE=x"},
        (char[]){"VERVE_SERVICE_HOST=x"},
        (char[]){"VERVE_PORT_80_TCP=x"},
        (char[]){"VERVE_KAFKA_A=x"},
        (char[]){"XVERVE_RDIS_URL=x"},
        NULL,
    };
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, environment);
    assert_string_equal(loaded.complaints, "");
    assert_warnings(
        &loaded, environment,
        "VERVE_RDIS_URL: it sets no key; is it VERVE_REDIS_URL?\n"
        "VERVE_CALBACK_SECRET: it sets no key; is it VERVE_CALLBACKS_SECRET?\n"
        "VERVE_REDISURL: it sets no key; is it VERVE_REDIS_URL?\n"
        "VERVE_URL: it sets no key; is it VERVE_REDIS_URL?\n"
        "VERVE_KAKFA_SASL_PASSWORD_FILE: it sets no key; is it "
        "VERVE_KAFKA_SASL_PASSWORD_FILE?\n"
        "VERVE_COLOUR: it sets no key\n"
        "VERVE_: it sets no key\n");
    load(&loaded, NULL, no_environment);
    assert_warnings(&loaded, right, "");
}

/* The text of a configuration, and the secret that it has; NULL: none. */
static void
test_a_readable_configuration_with_a_secret(void **state)
{
    static const char *const rows[][2] = {
        {"[redis]\nurl = redis://u:p@h\n", "redis.url"},
        {"[redis]\nurl = redis://h\npassword = p\n", "redis.password"},
        {"[callbacks]\nsecret = p\n", "callbacks.secret"},
        {"[kafka]\nsasl.password = p\n", "kafka.sasl.password"},
        {"[kafka]\na = b\nssl.key.password = p\n", "kafka.ssl.key.password"},
        {"[redis]\nurl = redis://h\n", NULL},
        {"[callbacks]\nsecret =\n", NULL},
        {"[kafka]\nsasl.username = p\nsasl.password_file = /nowhere\n", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i][0]);
        assert_int_equal(chmod(path, 0604), 0);
        snprintf(expected, sizeof(expected),
                 ": every user can read it, and it has a secret, %s: take that "
                 "right away (chmod o-r)\n",
                 rows[i][1]);
        assert_warnings(&loaded, no_environment,
                        rows[i][1] == NULL ? "" : expected);
        load_text(&loaded, rows[i][0]);
        assert_int_equal(chmod(path, 0640), 0);
        assert_warnings(&loaded, no_environment, "");
    }
}

static void
test_readable_secret_files(void **state)
{
    struct loaded loaded;

    (void)state;
    make_file("secret", "x", 1, 0404);
    load_secrets(&loaded);
    snprintf(expected, sizeof(expected),
             ":3: redis.password_file: every user can read \"%s/secret\": take "
             "that right away (chmod o-r)\n"
             ":5: callbacks.secret_file: every user can read \"%s/secret\": "
             "take that right away (chmod o-r)\n"
             ":8: kafka.sasl.password_file: every user can read "
             "\"%s/secret\": take that right away (chmod o-r)\n",
             directory, directory, directory);
    assert_warnings(&loaded, no_environment, expected);
    make_file("secret", "x", 1, 0440);
    load_secrets(&loaded);
    assert_warnings(&loaded, no_environment, "");
    unlink(in_directory("secret"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_folders),
        cmocka_unit_test(test_folders_in_place_of_files),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_sockets_and_block_devices),
        cmocka_unit_test(test_only_used_files_are_checked),
        cmocka_unit_test(test_secrets_in_files),
        cmocka_unit_test(test_wrong_secrets),
        cmocka_unit_test(test_secrets_in_no_regular_file),
        cmocka_unit_test(test_unknown_variables),
        cmocka_unit_test(test_a_readable_configuration_with_a_secret),
        cmocka_unit_test(test_readable_secret_files),
    };

    return cmocka_run_group_tests_name("option_files", tests, make_directory,
                                       remove_directory);
}
