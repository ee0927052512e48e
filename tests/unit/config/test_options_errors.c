/*
 * test_options_errors: the error messages for wrong settings, by a table of
 * rows; one load reports all errors.
 */
#include "options_loaded.h"

/* A line in a section, and its complaint; NULL if the line is right. */
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
    {"redis", "shards = 60", NULL},
    {"redis", "shards = 61",
     "redis.shards: \"61\" is not a whole number from 1 to 60"},
    {"redis", "wait_replicas = 1", NULL},
    {"redis", "wait_replicas = 17",
     "redis.wait_replicas: \"17\" is not a whole number from 0 to 16"},
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
    {"dedup", "strategy = set", NULL},
    {"dedup", "strategy = hll", NULL},
    {"dedup", "strategy = SETNX",
     "dedup.strategy: \"SETNX\" is not one of setnx, set, hll"},
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
    {"report", "sinks = kafka", NULL},
    {"report", "sinks = file,kinesis", NULL},
    {"report", "sinks = none", NULL},
    {"report", "sinks = file,",
     "report.sinks: \"file,\" is not one or more of file, syslog, kafka, "
     "kinesis, with commas, or none"},
    {"report", "sinks =",
     "report.sinks: \"\" is not one or more of file, syslog, kafka, "
     "kinesis, with commas, or none"},
    {"report", "sinks = file,none",
     "report.sinks: \"file,none\" is not one or more of file, syslog, kafka, "
     "kinesis, with commas, or none"},
    {"report", "sinks = none,none",
     "report.sinks: \"none,none\" is not one or more of file, syslog, kafka, "
     "kinesis, with commas, or none"},
    {"callbacks", "workers = 0", NULL},
    {"callbacks", "workers = 65",
     "callbacks.workers: \"65\" is not a whole number from 0 to 64"},
    {"file", "path =",
     "file.path: \"\" is not an absolute path of 1 to 1024 bytes without "
     "control bytes"},
    {"file", "path = unique.log",
     "file.path: \"unique.log\": a path begins with /"},
    {"callbacks", "log = ./x", "callbacks.log: \"./x\": a path begins with /"},
    {"callbacks", "ca_file = ca.pem",
     "callbacks.ca_file: \"ca.pem\": a path begins with /"},
    {"callbacks", "client_cert = ~/cert.pem",
     "callbacks.client_cert: \"~/cert.pem\": a path begins with /"},
    {"callbacks", "client_key = key.pem",
     "callbacks.client_key: \"key.pem\": a path begins with /"},
    {"callbacks", "secret_file = s",
     "callbacks.secret_file: \"s\": a path begins with /"},
    {"redis", "password_file = s",
     "redis.password_file: \"s\": a path begins with /"},
    {"kafka", "sasl.password_file = s",
     "kafka.sasl.password_file: \"s\": a path begins with /"},
    {"callbacks", "ca_file =", NULL},
    {"file", "path = \"/var/log/unique.log\"",
     "file.path: remove the quotes: they would be a part of the value"},
    {"callbacks", "secret = 'whsec_x'",
     "callbacks.secret: remove the quotes: they would be a part of the value"},
    {"redis", "timeout_ms = \"250\"",
     "redis.timeout_ms: remove the quotes: they would be a part of the value"},
    {"redis", "prefix = \"\"",
     "redis.prefix: remove the quotes: they would be a part of the value"},
    {"kafka", "sasl.username = 'u'",
     "kafka.sasl.username: remove the quotes: they would be a part of the "
     "value"},
    {"kafka", "sasl.username = \"u", NULL},
    {"kafka", "sasl.username = \"u'", NULL},
    {"kafka", "sasl.username = \"", NULL},
    {"callbacks", "per_host_concurrency = 1024", NULL},
    {"callbacks", "per_host_concurrency = 1025",
     "callbacks.per_host_concurrency: 1025 is more than callbacks.concurrency "
     "= 1024; make it at most 1024"},
    {"callbacks", "concurrency = 8", NULL}, /* below the other's default */
    {"redis", "sentinel_user = a",
     "redis.sentinel_user: it would not be used, as redis.url names no "
     "sentinels: write redis+sentinel://host,host/master there, or remove "
     "this key"},
    {"redis", "sentinel_password = s\nurl = redis+cluster://a",
     "redis.sentinel_password: it would not be used, as redis.url names no "
     "sentinels: write redis+sentinel://host,host/master there, or remove "
     "this key"},
    {"redis", "sentinel_user = a\nurl = redis+sentinel://a/m",
     "redis.sentinel_user: it needs a password: set redis.sentinel_password "
     "or redis.sentinel_password_file"},
    {"redis",
     "url = redis+sentinel://a/m\nsentinel_user = a\nsentinel_password = s",
     NULL},
    {"redis", "url = redis://u@h",
     "redis.url: there is no password before the @: write :password@ or "
     "user:password@, or set redis.password or redis.password_file"},
    {"redis", "password = p", NULL},
    {"log", "level = warning",
     "log.level: \"warning\" is not one of error, warn, info, debug"},
    {"log", "target = /var/log/verve/verve.log", NULL},
    {"log", "target = journal",
     "log.target: \"journal\" is not stderr, syslog, or an absolute path of 1 "
     "to 1024 bytes without control bytes"},
    {"log", "format = text", "log.format: \"text\" is not one of logfmt, json"},
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
            assert_complaints(&loaded, text);
        } else {
            assert_string_equal(loaded.complaints, "");
            options_fini(&loaded.options);
        }
    }
}

static void
test_all_errors_are_reported(void **state)
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
    assert_complaints(
        &loaded,
        ":1: \"a\" stands before the first [section]; write the section above "
        "it: redis.url is \"url\" below \"[redis]\"\n"
        ":3: redis.timeout_ms: \"x\" is not a whole number from 1 to 60000\n"
        ":4: redis.timeout_ms: it is set in line 3 already\n"
        ":5: there is no section [redsi]; is it [redis]?\n"
        ":10: kafka.a: it is set in line 9 already\n"
        ":12: callbacks.lease_s: 11 is too short for callbacks.timeout_ms = "
        "5001; make it at least 12\n");
}

/* If two keys contradict each other, the complaint names a key that is set. */
static void
test_no_time_for_attempts(void **state)
{
    char *const environment[] = {(char[]){"VERVE_CALLBACKS_LEASE_S=9"}, NULL};
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "[callbacks]\ntimeout_ms = 15001\n");
    assert_complaints(&loaded,
                      ":2: callbacks.timeout_ms: 15001 is too long for "
                      "callbacks.lease_s = 30; make that at least 32\n");
    load(&loaded, NULL, environment);
    assert_complaints(
        &loaded,
        "VERVE_CALLBACKS_LEASE_S: callbacks.lease_s: 9 is too short for "
        "callbacks.timeout_ms = 5000; make it at least 10\n");
    write_bytes("[callbacks]\nlease_s = 60\n", 24);
    load(&loaded, path, environment);
    assert_complaints(
        &loaded,
        "VERVE_CALLBACKS_LEASE_S: callbacks.lease_s: 9 is too short for "
        "callbacks.timeout_ms = 5000; make it at least 10\n");
}

/* If one of two keys was refused, they are not checked together. */
static void
test_refused_keys_are_not_compared(void **state)
{
    char *const environment[] = {(char[]){"VERVE_REDIS_TIMEOUT_MS=x"}, NULL};
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "[callbacks]\ntimeout_ms = 20000\nlease_s = x\n");
    assert_complaints(&loaded,
                      ":3: callbacks.lease_s: \"x\" is not a whole number "
                      "from 2 to 86400\n");
    write_bytes("[redis]\ntimeout_ms = 100\nwait_replicas = 1\n", 43);
    load(&loaded, path, environment);
    assert_complaints(&loaded,
                      "VERVE_REDIS_TIMEOUT_MS: \"x\" is not a whole number "
                      "from 1 to 60000\n");
}

static void
test_no_time_for_replicas(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "[redis]\ntimeout_ms = 199\nwait_replicas = 2\n");
    assert_complaints(&loaded,
                      ":2: redis.timeout_ms: 199 is too short for "
                      "redis.wait_replicas = 2; make it at least 200\n");
    load_text(&loaded, "[redis]\ntimeout_ms = 200\nwait_replicas = 2\n");
    assert_string_equal(loaded.complaints, "");
    options_fini(&loaded.options);
    load_text(&loaded, "[redis]\ntimeout_ms = 1\n");
    assert_string_equal(loaded.complaints, "");
    options_fini(&loaded.options);
}

/* A value stands in one place. */
static void
test_secrets_are_set_once(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_CALLBACKS_SECRET_FILE=/s"},
        (char[]){"VERVE_KAFKA_SASL_PASSWORD_FILE=/k"},
        NULL,
    };
    char expected[COMPLAINTS_SIZE];
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "[redis]\n"
                       "url = redis://u:p@h\n"
                       "password = q\n"
                       "[callbacks]\n"
                       "secret = s\n"
                       "secret_file = /s\n"
                       "[kafka]\n"
                       "sasl.password_file = /s\n"
                       "sasl.password = p\n");
    snprintf(expected, sizeof(expected),
             ":3: redis.password: %s:2: redis.url has a password, too; set "
             "only one\n"
             ":6: callbacks.secret_file: callbacks.secret is set, too; set "
             "only one of them\n"
             ":8: kafka.sasl.password_file: kafka.sasl.password is set, too; "
             "set only one of them\n",
             path);
    assert_complaints(&loaded, expected);
    load_text(&loaded, "[redis]\nurl = redis://:p@h\npassword_file = /q\n");
    snprintf(expected, sizeof(expected),
             ":3: redis.password_file: %s:2: redis.url has a password, too; "
             "set only one\n",
             path);
    assert_complaints(&loaded, expected);
    load_text(&loaded, "[redis]\npassword = p\npassword_file = /q\n");
    assert_complaints(&loaded, ":3: redis.password_file: redis.password is "
                               "set, too; set only one of them\n");
    load_text(&loaded, "[redis]\nurl = redis://u@h\npassword_file = /q\n");
    assert_string_equal(loaded.complaints, "");
    options_fini(&loaded.options);
    write_bytes("[callbacks]\nsecret = s\n[kafka]\nsasl.password = p\n", 47);
    load(&loaded, path, environment);
    assert_complaints(
        &loaded,
        "VERVE_CALLBACKS_SECRET_FILE: callbacks.secret_file: callbacks.secret "
        "is set, too; set only one of them\n"
        "VERVE_KAFKA_SASL_PASSWORD_FILE: kafka.sasl.password_file: "
        "kafka.sasl.password is set, too; set only one of them\n");
}

static void
test_more_for_one_host_than_for_all(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_CALLBACKS_PER_HOST_CONCURRENCY=9"}, NULL};
    struct loaded loaded;

    (void)state;
    write_bytes("[callbacks]\nconcurrency = 8\n", 28);
    load(&loaded, path, environment);
    assert_complaints(&loaded,
                      "VERVE_CALLBACKS_PER_HOST_CONCURRENCY: "
                      "callbacks.per_host_concurrency: 9 is more than "
                      "callbacks.concurrency = 8; make it at most 8\n");
    load_text(&loaded,
              "[callbacks]\nper_host_concurrency = 9\nconcurrency = x\n");
    assert_complaints(&loaded, ":3: callbacks.concurrency: \"x\" is not a "
                               "whole number from 1 to 65536\n");
}

/* Files of TLS that would not be used, and half of a pair. */
static void
test_tls_to_redis(void **state)
{
    static const struct {
        const char *lines;
        const char *complaint; /* its beginning, behind the file's name */
    } rows[] = {
        {"url = redis://h\nca_file = /f\n",
         ":3: redis.ca_file: it would not be used"},
        {"url = redis+sentinel://h/m\nclient_key = /f\n",
         ":3: redis.client_key: it would not be used"},
        {"url = rediss://h\nclient_cert = /f\n",
         ":3: redis.client_cert: set redis.client_key, too"},
        {"url = rediss+sentinel://h/m\nclient_key = /f\n",
         ":3: redis.client_key: set redis.client_cert, too"},
        {"url = rediss://h\nca_file = /f\nclient_cert = /f\n"
         "client_key = /f\n",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;
        char text[256];

        snprintf(text, sizeof(text), "[redis]\n%s", rows[i].lines);
        load_text(&loaded, text);
        if (rows[i].complaint == NULL
                ? loaded.complaints[0] != '\0'
                : strstr(loaded.complaints, rows[i].complaint) == NULL) {
            fail_msg("%s%s", text, loaded.complaints);
        }
        options_fini(&loaded.options);
    }
}

static void
test_environment_errors(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_REDIS_TIMEOUT=1"}, (char[]){"VERVE_REDIS_TIMEOUT_MS=x"},
        (char[]){"VERVE_LOG_COLOUR=1"},    (char[]){"VERVE_LOG_=1"},
        (char[]){"VERVE_KAFKA_=1"},        (char[]){"VERVE_redis_url=1"},
        (char[]){"VERVE_FILE_PATH='/x'"},  NULL,
    };
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, environment);
    assert_complaints(
        &loaded,
        "VERVE_REDIS_TIMEOUT: there is no such key; is it "
        "VERVE_REDIS_TIMEOUT_MS?\n"
        "VERVE_REDIS_TIMEOUT_MS: \"x\" is not a whole number from 1 to 60000\n"
        "VERVE_LOG_COLOUR: there is no such key\n"
        "VERVE_LOG_: there is no such key\n"
        "VERVE_KAFKA_: a property's name has 1 to 128 small letters, digits, "
        ". _ -\n"
        "VERVE_redis_url: its name has to be in capitals\n"
        "VERVE_FILE_PATH: remove the quotes: they would be a part of the "
        "value\n");
}

static void
test_secrets_are_not_shown(void **state)
{
    static const char *const texts[] = {
        "[redis]\nurl = redis://u:hunter2@h:port\n",
        "[redis]\nurl = redis+sentinel://u:hunter2@h\n",
        "[redis]\nurl = hunter2\n",
        "[redis]\nurl = redis://u:hunter2\x01@h\n",
        "[redis]\nhunter2\n",
        "[redis]\nurl = unix:///s\nurl = redis://u:hunter2@h\n",
        "[callbacks]\nsecret = hunter2\x01\n",
        "[kafka]\na = b\na = hunter2\n",
        "[kafka]\nA = hunter2\n",
        "[redis]\nulr = redis://u:hunter2@h\n",
        "[redis]\nurl = redis://u:hunter2@h\npassword = hunter2\n",
        "[redis]\npassword = 'hunter2'\n",
        "[kafka]\na = 'hunter2'\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, texts[i]);
        assert_int_equal(loaded.result, -1);
        if (strstr(loaded.complaints, "hunter2") != NULL) {
            fail_msg("shown: %s", loaded.complaints);
        }
        options_fini(&loaded.options);
    }
}

/* If reading waited for a writer, the alarm would end the test. */
static void
test_unreadable_files(void **state)
{
    struct loaded loaded;
    char text[256];

    (void)state;
    alarm(60);
    unlink(path);
    load(&loaded, path, no_environment);
    assert_complaints(&loaded, ": can't be read: No such file or directory\n");
    assert_int_equal(mkfifo(path, 0600), 0);
    load(&loaded, path, no_environment);
    assert_complaints(&loaded, ": can't be read: it is not a regular file\n");
    unlink(path);
    load(&loaded, "/dev/zero", no_environment);
    assert_complaints(&loaded, "/dev/zero: can't be read: it is not a regular "
                               "file\n");
    load(&loaded, "/dev/null", no_environment);
    assert_string_equal(loaded.complaints, "");
    options_fini(&loaded.options);
    load(&loaded, directory, no_environment);
    snprintf(text, sizeof(text), "%s: can't be read: Is a directory\n",
             directory);
    assert_complaints(&loaded, text);
    write_bytes("[redis]\nprefix = a\0b\n", 21);
    load(&loaded, path, no_environment);
    assert_complaints(&loaded, ":2: the line has a NUL byte\n");
    alarm(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_all_errors_are_reported),
        cmocka_unit_test(test_no_time_for_attempts),
        cmocka_unit_test(test_refused_keys_are_not_compared),
        cmocka_unit_test(test_no_time_for_replicas),
        cmocka_unit_test(test_secrets_are_set_once),
        cmocka_unit_test(test_more_for_one_host_than_for_all),
        cmocka_unit_test(test_tls_to_redis),
        cmocka_unit_test(test_environment_errors),
        cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_unreadable_files),
    };

    return cmocka_run_group_tests_name("options_errors", tests, make_directory,
                                       remove_directory);
}
