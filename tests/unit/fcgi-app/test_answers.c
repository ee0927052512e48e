/*
 * answers: the window that an answer names, over a socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "answers.h"

#define HEADER "Verve-Window: "

static void
complain(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

/* Has the header of an answer, or "" if there is none, in text. */
static void
read_window(int fd, char text[1024])
{
    const char *header;
    ssize_t len = recv(fd, text, 1023, MSG_DONTWAIT);

    assert_true(len > FCGI_RECORD_HEADER_BYTES);
    text[len] = '\0';
    header = strstr(text + FCGI_RECORD_HEADER_BYTES, HEADER);
    if (header == NULL) {
        text[0] = '\0';
    } else {
        memmove(text, header + strlen(HEADER), strlen(header));
        text[strcspn(text, "\r")] = '\0';
    }
}

/* Whatever window the answer before had. */
static void
test_each_answer_names_its_own_window(void **state)
{
    static const struct {
        int64_t window_s;
        const char *text;
    } rows[] = {
        {0, ""},
        {60, "1970-01-01T00:01:00Z"},
        {60, "1970-01-01T00:01:00Z"},
        {1767323040, "2026-01-02T03:04:00Z"},
        {0, ""},
        {60, "1970-01-01T00:01:00Z"},
    };
    char path[] = "/tmp/verve-answers-XXXXXX";
    char setting[64], why[STATS_WHY_SIZE], text[1024];
    char *environment[] = {setting, NULL};
    struct options options = {0};
    struct answers answers;
    int fds[2];
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    snprintf(setting, sizeof(setting), "VERVE_STATS_PATH=%s.stats", path);
    assert_int_equal(options_load(&options, NULL, environment, complain, NULL),
                     0);
    answers_init(&answers, pool_stats_open(&options, why));
    assert_non_null(answers.stats);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fcgi_conn conn = {.fd = fds[0], .parser = {.id = 1}};
        struct fcgi_exchange exchange = {.conn = &conn};

        answers_give(&answers, &exchange, 200, ERROR_CODE_NONE,
                     rows[i].window_s);
        read_window(fds[1], text);
        assert_string_equal(text, rows[i].text);
    }
    pool_stats_close(answers.stats);
    unlink(options.stats.path);
    unlink(path);
    options_fini(&options);
    close(file);
    close(fds[0]);
    close(fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_answer_names_its_own_window),
    };

    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
