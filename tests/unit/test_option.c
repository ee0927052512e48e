/*
 * test_option: where settings come from, what overrides what, and what is said
 * of those that are wrong. Files are written into a temporary directory; the
 * shipped conf/verve.conf is read by its path from the top of the repository,
 * where `make unit` runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "option.h"
#include "option_table.h"
#include "option_value.h"

#define SHIPPED "conf/verve.conf"

enum { HEARD_SIZE = 16384 };

/* One load: the settings and all complaints, a line each. */
struct loaded {
    struct options options;
    int result;
    char heard[HEARD_SIZE];
};

static char *const no_environment[] = {NULL};

static char directory[] = "/tmp/verve-option-XXXXXX";
static char path[64];

static void
hear(void *context, const char *text)
{
    char *heard = context;
    size_t used = strlen(heard);

    snprintf(heard + used, HEARD_SIZE - used, "%s\n", text);
}

static void
load(struct loaded *loaded, const char *file, char *const *environment)
{
    loaded->heard[0] = '\0';
    loaded->result =
        options_load(&loaded->options, file, environment, hear, loaded->heard);
    assert_int_equal(loaded->result == 0, loaded->heard[0] == '\0');
}

static void
write_bytes(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void
load_text(struct loaded *loaded, const char *text)
{
    write_bytes(text, strlen(text));
    load(loaded, path, no_environment);
}

/* Fails unless all that was heard is expected, with path before each ':'. */
static void
assert_heard(struct loaded *loaded, const char *expected)
{
    char full[HEARD_SIZE] = "";

    for (const char *line = expected; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        size_t used = strlen(full);

        snprintf(full + used, sizeof(full) - used, "%s%.*s\n",
                 line[0] == ':' ? path : "", (int)len, line);
        line += len + 1;
    }
    assert_string_equal(loaded->heard, full);
    assert_int_equal(loaded->result, -1);
    options_fini(&loaded->options);
}

static void
assert_defaults(const struct options *options)
{
    static const int64_t delays_s[] = {5, 30, 120, 600, 1800, 3600, 7200};

    assert_string_equal(options->redis.url,
                        "unix:///run/redis-verve/redis.sock");
    assert_int_equal(options->redis.timeout_ms, 250);
    assert_string_equal(options->redis.prefix, "verve");
    assert_int_equal(options->redis.shards, 1);
    assert_int_equal(options->redis.wait_replicas, 0);
    assert_int_equal(options->window.seconds, 60);
    assert_int_equal(options->window.retention_hours, 168);
    assert_int_equal(options->dedup.strategy, DEDUP_SETNX);
    assert_int_equal(options->dedup.local_cache_ids, 262144);
    assert_int_equal(options->accept.max_batch, 128);
    assert_int_equal(options->callbacks.method, CALLBACK_POST);
    assert_string_equal(options->callbacks.query_param, "unique_requests");
    assert_string_equal(options->callbacks.json_field, "unique_request_count");
    assert_int_equal(options->callbacks.concurrency, 1024);
    assert_int_equal(options->callbacks.per_host_concurrency, 64);
    assert_int_equal(options->callbacks.max_queue, 1000000);
    assert_int_equal(options->callbacks.max_dead, 10000);
    assert_int_equal(options->callbacks.connect_timeout_ms, 2000);
    assert_int_equal(options->callbacks.timeout_ms, 5000);
    assert_int_equal(options->callbacks.lease_s, 30);
    assert_int_equal(options->callbacks.retry_delays_s.count, 7);
    assert_memory_equal(options->callbacks.retry_delays_s.s, delays_s,
                        sizeof(delays_s));
    assert_string_equal(options->callbacks.allow, "");
    assert_string_equal(options->callbacks.secret, "");
    assert_string_equal(options->callbacks.log, "/var/log/verve/callbacks.log");
    assert_int_equal(options->report.sinks, SINK_FILE);
    assert_string_equal(options->file.path, "/var/log/verve/unique.log");
    assert_int_equal(options->file.format, FORMAT_TEXT);
    assert_string_equal(options->kafka.brokers, "localhost:9092");
    assert_string_equal(options->kafka.topic, "unique-request-count");
    assert_int_equal(options->kafka.properties.count, 0);
    assert_string_equal(options->kinesis.stream, "unique-request-count");
    assert_string_equal(options->kinesis.region, "us-east-1");
    assert_string_equal(options->kinesis.endpoint, "");
    assert_int_equal(options->log.level, LEVEL_INFO);
    assert_int_equal(options->log.target, TARGET_STDERR);
}

static void
test_defaults(void **state)
{
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, no_environment);
    assert_string_equal(loaded.heard, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
    load_text(&loaded, "");
    assert_string_equal(loaded.heard, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
    options_fini(&loaded.options); /* zeroed is fine */
}

/* The shipped file, with the '#' off each "#key = value". */
static void
uncomment(char *text)
{
    char *line = text;
    char *to = text;

    while (*line != '\0') {
        size_t len = strcspn(line, "\n") + 1;

        if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z') {
            line++;
            len--;
        }
        memmove(to, line, len);
        to += len;
        line += len;
    }
    *to = '\0';
}

static void
read_shipped(char *text, size_t size)
{
    FILE *file = fopen(SHIPPED, "re");
    size_t len;

    if (file == NULL) {
        fail_msg("%s: run this at the top of the repository", SHIPPED);
    }
    len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    assert_true(len > 0 && len < size - 1);
    fclose(file);
}

static void
test_shipped_file(void **state)
{
    struct loaded loaded;
    char text[16384];

    (void)state;
    load(&loaded, SHIPPED, no_environment);
    assert_string_equal(loaded.heard, "");
    options_fini(&loaded.options);

    read_shipped(text, sizeof(text));
    uncomment(text);
    load_text(&loaded, text);
    assert_string_equal(loaded.heard, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
}

/* Each key of the table, in its order, at its default, in its section. */
static void
test_shipped_file_has_all_keys(void **state)
{
    char text[16384];
    const char *at = text;
    const char *section = "";

    (void)state;
    read_shipped(text, sizeof(text));
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char line[256];

        if (row->type == OPTION_PROPERTIES) {
            continue;
        }
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            snprintf(line, sizeof(line), "\n[%s]\n", section);
            at = strstr(at, line);
            if (at == NULL) {
                fail_msg("no %s at its place", line);
            }
        }
        snprintf(line, sizeof(line), "\n#%s =%s%s\n", row->key,
                 row->fallback[0] == '\0' ? "" : " ", row->fallback);
        at = strstr(at, line);
        if (at == NULL) {
            fail_msg("no %s at its place in [%s]", line, section);
        }
    }
}

static void
test_environment_overrides_file(void **state)
{
    char *const environment[] = {
        (char[]){"PATH=/bin"},
        (char[]){"VERVE_REDIS_TIMEOUT_MS=77"},
        (char[]){"VERVE_CALLBACKS_RETRY_DELAYS_S="},
        (char[]){"VERVE_FILE_PATH=/tmp/a=b;c # d"},
        (char[]){"VERVE_KAFKA_BROKERS=b:1"},
        (char[]){"VERVE_KAFKA_SECURITY_PROTOCOL=ssl"},
        (char[]){"VERVE_CONF=/nowhere"},
        (char[]){"VERVE_PORT=8080"},
        (char[]){"VERVE_REDIS"},
        (char[]){"VERVE_REDISX=1"},
        (char[]){"XVERVE_REDIS_X=1"},
        NULL,
    };
    struct loaded loaded;
    const struct options *options = &loaded.options;

    (void)state;
    write_bytes("[redis]\ntimeout_ms = 66\nprefix = p\n[kafka]\n"
                "security.protocol = plaintext\n",
                strlen("[redis]\ntimeout_ms = 66\nprefix = p\n[kafka]\n"
                       "security.protocol = plaintext\n"));
    load(&loaded, path, environment);
    assert_string_equal(loaded.heard, "");
    assert_int_equal(options->redis.timeout_ms, 77);
    assert_string_equal(options->redis.prefix, "p");
    assert_int_equal(options->callbacks.retry_delays_s.count, 0);
    assert_string_equal(options->file.path, "/tmp/a=b;c # d");
    assert_string_equal(options->kafka.brokers, "b:1");
    assert_int_equal(options->kafka.properties.count, 1);
    assert_string_equal(options->kafka.properties.items[0].name,
                        "security.protocol");
    assert_string_equal(options->kafka.properties.items[0].value, "ssl");
    options_fini(&loaded.options);
}

static void
test_environment_errors(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_REDIS_TIMEOUT=1"},
        (char[]){"VERVE_REDIS_TIMEOUT_MS=x"},
        (char[]){"VERVE_LOG_COLOUR=1"},
        (char[]){"VERVE_LOG_=1"},
        (char[]){"VERVE_KAFKA_=1"},
        (char[]){"VERVE_redis_url=1"},
        NULL,
    };
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, environment);
    assert_heard(
        &loaded,
        "VERVE_REDIS_TIMEOUT: there is no such key; is it "
        "VERVE_REDIS_TIMEOUT_MS?\n"
        "VERVE_REDIS_TIMEOUT_MS: \"x\" is not a whole number from 1 to 60000\n"
        "VERVE_LOG_COLOUR: there is no such key\n"
        "VERVE_LOG_: there is no such key\n"
        "VERVE_KAFKA_: a property's name has 1 to 128 small letters, digits, "
        ". _ -\n"
        "VERVE_redis_url: its name has to be in capitals\n");
}

static void
test_forms(void **state)
{
    struct loaded loaded;
    const struct options *options = &loaded.options;

    (void)state;
    load_text(&loaded, "\xEF\xBB\xBF; a comment\r\n"
                       "  # another\r\n"
                       "[file]\r\n"
                       "path =  /a b;c #d \t\r\n"
                       "\tformat=json\r\n"
                       "[callbacks] \r\n"
                       "retry_delays_s = 1 , 2,3\r\n"
                       "method: GET\r\n"
                       "secret = a = b\r\n"
                       "json_field = a b\r\n"
                       "[report]\n"
                       "sinks = file, file\n"
                       "[file]\n"
                       "[log]\n"
                       "level = debug\n"
                       "target = syslog"); /* no newline */
    assert_string_equal(loaded.heard, "");
    assert_string_equal(options->file.path, "/a b;c #d");
    assert_int_equal(options->file.format, FORMAT_JSON);
    assert_int_equal(options->callbacks.retry_delays_s.count, 3);
    assert_int_equal(options->callbacks.retry_delays_s.s[2], 3);
    assert_int_equal(options->callbacks.method, CALLBACK_GET);
    assert_string_equal(options->callbacks.secret, "a = b");
    assert_string_equal(options->callbacks.json_field, "a b");
    assert_int_equal(options->report.sinks, SINK_FILE);
    assert_int_equal(options->log.level, LEVEL_DEBUG);
    assert_int_equal(options->log.target, TARGET_SYSLOG);
    options_fini(&loaded.options);
}

static void
test_long_values(void **state)
{
    struct loaded loaded;
    char value[8300];
    char text[8400];

    (void)state;
    memset(value, 'v', sizeof(value));
    value[1000] = '\0';
    snprintf(text, sizeof(text), "[callbacks]\nlog = %s\n", value);
    load_text(&loaded, text);
    assert_string_equal(loaded.heard, "");
    assert_string_equal(loaded.options.callbacks.log, value);
    options_fini(&loaded.options);

    memset(value, 'v', sizeof(value));
    value[8192 - strlen("a = ")] = '\0';
    snprintf(text, sizeof(text), "[kafka]\na = %s\r\n", value);
    load_text(&loaded, text);
    assert_string_equal(loaded.heard, "");
    assert_string_equal(loaded.options.kafka.properties.items[0].value, value);
    options_fini(&loaded.options);

    value[8192 - strlen("a = ")] = 'v';
    value[8193 - strlen("a = ")] = '\0';
    snprintf(text, sizeof(text), "[kafka]\na = %s\nb = c\n", value);
    load_text(&loaded, text);
    assert_int_equal(loaded.options.kafka.properties.count, 1);
    assert_heard(&loaded, ":2: the line is longer than 8192 bytes\n");
}

/* A value, by section and key, and what is said of it; NULL: it is fine. */
static const struct {
    const char *section;
    const char *line;
    const char *complaint;
} values[] = {
    {"redis", "timeout_ms = 1", NULL},
    {"redis", "timeout_ms = 60000", NULL},
    {"redis", "timeout_ms = 0",
     "redis.timeout_ms: \"0\" is not a whole number from 1 to 60000"},
    {"redis", "timeout_ms = 60001",
     "redis.timeout_ms: \"60001\" is not a whole number from 1 to 60000"},
    {"redis", "timeout_ms = ",
     "redis.timeout_ms: \"\" is not a whole number from 1 to 60000"},
    {"redis", "timeout_ms = 250 ms",
     "redis.timeout_ms: \"250 ms\" is not a whole number from 1 to 60000"},
    {"redis", "shards = 1", NULL},
    {"redis", "shards = 4",
     "redis.shards: \"4\" is not 1 (nothing else is built yet)"},
    {"redis", "wait_replicas = 1",
     "redis.wait_replicas: \"1\" is not 0 (nothing else is built yet)"},
    {"redis", "prefix = a:b-c.d", NULL},
    {"redis", "prefix =",
     "redis.prefix: \"\" is not text of 1 to 64 bytes without control bytes"},
    {"redis", "prefix = a{b",
     "redis.prefix: \"a{b\": braces and blanks are not allowed"},
    {"redis", "prefix = a b",
     "redis.prefix: \"a b\": braces and blanks are not allowed"},
    {"redis", "prefix = a\x7F",
     "redis.prefix: \"a\x7F\" is not text of 1 to 64 bytes without control "
     "bytes"},
    {"redis", "url = redis://u:p@h:6379/1", NULL},
    {"redis", "url = unix:///s", NULL},
    {"window", "seconds = 1", NULL},
    {"window", "seconds = 86400", NULL},
    {"window", "seconds = 0",
     "window.seconds: \"0\" is not a whole number from 1 to 86400"},
    {"window", "seconds = 86401",
     "window.seconds: \"86401\" is not a whole number from 1 to 86400"},
    {"window", "retention_hours = 8785",
     "window.retention_hours: \"8785\" is not a whole number from 1 to 8784"},
    {"dedup", "strategy = set",
     "dedup.strategy: \"set\" is not built yet; use setnx"},
    {"dedup", "strategy = SETNX",
     "dedup.strategy: \"SETNX\" is not one of setnx"},
    {"dedup", "local_cache_ids = 0", NULL},
    {"accept", "max_batch = 1024", NULL},
    {"accept", "max_batch = 1025",
     "accept.max_batch: \"1025\" is not a whole number from 1 to 1024"},
    {"callbacks", "method = PUT",
     "callbacks.method: \"PUT\" is not one of POST, GET"},
    {"callbacks", "query_param = a&b",
     "callbacks.query_param: \"a&b\": only letters, digits and - . _ ~ are "
     "allowed"},
    {"callbacks", "json_field = a\"b",
     "callbacks.json_field: \"a\"b\": only printable ASCII without \" and \\ "
     "is allowed"},
    {"callbacks", "retry_delays_s = 1,,2",
     "callbacks.retry_delays_s: \"1,,2\" is not at most 32 whole numbers from "
     "1 to 2592000, with commas"},
    {"callbacks", "retry_delays_s = 1,0",
     "callbacks.retry_delays_s: \"1,0\" is not at most 32 whole numbers from "
     "1 to 2592000, with commas"},
    {"callbacks",
     "retry_delays_s = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
     "22,23,24,25,26,27,28,29,30,31,32",
     NULL},
    {"callbacks", "lease_s = 10", NULL},
    {"report", "sinks = kafka",
     "report.sinks: \"kafka\" is not built yet; use file"},
    {"report", "sinks = file,kinesis",
     "report.sinks: \"kinesis\" is not built yet; use file"},
    {"report", "sinks = file,",
     "report.sinks: \"file,\" is not one or more of file, with commas"},
    {"report",
     "sinks =", "report.sinks: \"\" is not one or more of file, with commas"},
    {"file", "path =",
     "file.path: \"\" is not text of 1 to 1024 bytes without control bytes"},
    {"log", "level = warning",
     "log.level: \"warning\" is not one of error, warn, info, debug"},
    {"kinesis", "endpoint =", NULL},

    {"redis", "timeout = 1",
     "redis.timeout: there is no such key; is it redis.timeout_ms?"},
    {"redis", "ulr = 1", "redis.ulr: there is no such key; is it redis.url?"},
    {"redis", "seconds = 1",
     "redis.seconds: there is no such key; is it window.seconds?"},
    {"redis", "colour = 1", "redis.colour: there is no such key"},
    {"redis", "= 1", "redis.: there is no such key"},
    {"kafka", "sasl.username = u", NULL},
    {"kafka", "Sasl = u",
     "kafka.Sasl: a property's name has 1 to 128 small letters, digits, . _ "
     "-"},
    {"redis", "just words", "the line is not key = value"},
    {"redis", "[log", "the head of a section is [name], nothing more"},
    {"redis", "[log] x", "the head of a section is [name], nothing more"},
    {"redis", "[lgo]", "there is no section [lgo]; is it [log]?"},
    {"redis", "[callback]",
     "there is no section [callback]; is it [callbacks]?"},
    {"redis", "[]", "there is no section []"},
};

static void
test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct loaded loaded;
        char text[1024];

        snprintf(text, sizeof(text), "[%s]\n%s\n", values[i].section,
                 values[i].line);
        load_text(&loaded, text);
        if (values[i].complaint != NULL) {
            snprintf(text, sizeof(text), ":2: %s\n", values[i].complaint);
            assert_heard(&loaded, text);
        } else {
            assert_string_equal(loaded.heard, "");
            options_fini(&loaded.options);
        }
    }
}

static void
test_all_errors_are_heard(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a = 1\n"
                       "[redis]\n"
                       "timeout_ms = x\n"
                       "timeout_ms = 7\n"
                       "[redsi]\n"
                       "url = x\n"
                       "shards = 7\n"
                       "[kafka]\n"
                       "a = 1\n"
                       "a = 2\n"
                       "[callbacks]\n"
                       "lease_s = 11\n"
                       "timeout_ms = 5001\n");
    assert_heard(
        &loaded,
        ":1: \"a\" stands before the first [section]\n"
        ":3: redis.timeout_ms: \"x\" is not a whole number from 1 to 60000\n"
        ":4: redis.timeout_ms: it is set in line 3 already\n"
        ":5: there is no section [redsi]; is it [redis]?\n"
        ":10: kafka.a: it is set further up already\n"
        "callbacks.lease_s: 11 is too short for callbacks.timeout_ms = 5001; "
        "make it at least 12\n");
}

static void
test_secrets_are_not_shown(void **state)
{
    static const char *const texts[] = {
        "[redis]\nurl = redis://u:hunter2@h:port\n",
        "[redis]\nurl = redis+sentinel://u:hunter2@h/m\n",
        "[redis]\nurl = hunter2\n",
        "[redis]\nurl = redis://u:hunter2\x01@h\n",
        "[redis]\nhunter2\n",
        "[redis]\nurl = unix:///s\nurl = redis://u:hunter2@h\n",
        "[callbacks]\nsecret = hunter2\x01\n",
        "[kafka]\na = b\na = hunter2\n",
        "[kafka]\nA = hunter2\n",
        "[redis]\nulr = redis://u:hunter2@h\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, texts[i]);
        assert_int_equal(loaded.result, -1);
        if (strstr(loaded.heard, "hunter2") != NULL) {
            fail_msg("shown: %s", loaded.heard);
        }
        options_fini(&loaded.options);
    }
}

static void
test_unreadable_files(void **state)
{
    struct loaded loaded;
    char text[256];

    (void)state;
    unlink(path);
    load(&loaded, path, no_environment);
    assert_heard(&loaded, ": can't be read: No such file or directory\n");
    load(&loaded, directory, no_environment);
    snprintf(text, sizeof(text), "%s: can't be read: Is a directory\n",
             directory);
    assert_heard(&loaded, text);
    write_bytes("[redis]\nprefix = a\0b\n", 21);
    load(&loaded, path, no_environment);
    assert_heard(&loaded, ":2: the line has a NUL byte\n");
}

static void
test_which_file(void **state)
{
    char *const named[] = {(char[]){"VERVE_CONF=/b"}, NULL};
    char *const empty[] = {(char[]){"VERVE_CONF="}, NULL};
    const char *fallback = access(OPTIONS_FILE, F_OK) == 0 ? OPTIONS_FILE : "";
    const char *file;

    (void)state;
    assert_string_equal(options_file("/a", named), "/a");
    assert_string_equal(options_file(NULL, named), "/b");
    file = options_file(NULL, empty);
    assert_string_equal(file == NULL ? "" : file, fallback);
    file = options_file(NULL, no_environment);
    assert_string_equal(file == NULL ? "" : file, fallback);
}

static void
test_help_names_every_key(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    options_help(out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < option_row_count; i++) {
        char line[256];

        snprintf(line, sizeof(line), "\n  %s%s%s\n", option_rows[i].key,
                 option_rows[i].type == OPTION_PROPERTIES ? "" : " = ",
                 option_rows[i].type == OPTION_PROPERTIES
                     ? ""
                     : option_rows[i].fallback);
        if (strstr(text, line) == NULL) {
            fail_msg("-h lacks %s", line);
        }
    }
    free(text);
}

static int
make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/verve.conf", directory);
    return 0;
}

static int
remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_shipped_file),
        cmocka_unit_test(test_shipped_file_has_all_keys),
        cmocka_unit_test(test_environment_overrides_file),
        cmocka_unit_test(test_environment_errors),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_all_errors_are_heard),
        cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_unreadable_files),
        cmocka_unit_test(test_which_file),
        cmocka_unit_test(test_help_names_every_key),
    };

    return cmocka_run_group_tests_name("option", tests, make_directory,
                                       remove_directory);
}
