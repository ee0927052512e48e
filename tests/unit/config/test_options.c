/*
 * test_options: the sources of settings, and which source overrides which; the
 * output of -h and -p. Run it at the top of the repository: it reads
 * conf/verve.conf. For error messages see test_options_errors.c.
 */
#include "config/table.h"
#include "options_loaded.h"

#define SHIPPED "conf/verve.conf"

static void
assert_defaults(const struct options *options)
{
    static const int64_t delays_s[] = {5, 30, 120, 600, 1800, 3600, 7200};

    assert_string_equal(options->redis.url,
                        "unix:///run/redis-verve/redis.sock");
    assert_string_equal(options->redis.password, "");
    assert_string_equal(options->redis.password_file, "");
    assert_int_equal(options->redis.timeout_ms, 250);
    assert_string_equal(options->redis.prefix, "verve");
    assert_int_equal(options->redis.shards, 1);
    assert_int_equal(options->redis.wait_replicas, 0);
    assert_int_equal(options->redis.trust_noeviction, 0);
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
    assert_string_equal(options->callbacks.secret_file, "");
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
    assert_string_equal(options->log.target, LOG_TARGET_STDERR);
    assert_int_equal(options->log.format, LOG_LOGFMT);
}

static void
test_defaults(void **state)
{
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, no_environment);
    assert_string_equal(loaded.complaints, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
    load_text(&loaded, "");
    assert_string_equal(loaded.complaints, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
    options_fini(&loaded.options); /* zeroed is fine */
}

/* Removes the '#' from each "#key = value" of the shipped file. */
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
    assert_string_equal(loaded.complaints, "");
    options_fini(&loaded.options);

    read_shipped(text, sizeof(text));
    uncomment(text);
    load_text(&loaded, text);
    assert_string_equal(loaded.complaints, "");
    assert_defaults(&loaded.options);
    options_fini(&loaded.options);
}

/* Each key of the table is there: in order, in its section, with its default.
 */
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
    static const char text[] = "[redis]\ntimeout_ms = 66\nprefix = p\n"
                               "[kafka]\nsecurity.protocol = plaintext\n";
    struct loaded loaded;
    const struct options *options = &loaded.options;

    (void)state;
    write_bytes(text, strlen(text));
    load(&loaded, path, environment);
    assert_string_equal(loaded.complaints, "");
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
    assert_string_equal(loaded.complaints, "");
    assert_string_equal(options->file.path, "/a b;c #d");
    assert_int_equal(options->file.format, FORMAT_JSON);
    assert_int_equal(options->callbacks.retry_delays_s.count, 3);
    assert_int_equal(options->callbacks.retry_delays_s.s[2], 3);
    assert_int_equal(options->callbacks.method, CALLBACK_GET);
    assert_string_equal(options->callbacks.secret, "a = b");
    assert_string_equal(options->callbacks.json_field, "a b");
    assert_int_equal(options->report.sinks, SINK_FILE);
    assert_int_equal(options->log.level, LEVEL_DEBUG);
    assert_string_equal(options->log.target, LOG_TARGET_SYSLOG);
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
    value[0] = '/';
    value[1000] = '\0';
    snprintf(text, sizeof(text), "[callbacks]\nlog = %s\n", value);
    load_text(&loaded, text);
    assert_string_equal(loaded.complaints, "");
    assert_string_equal(loaded.options.callbacks.log, value);
    options_fini(&loaded.options);

    memset(value, 'v', sizeof(value));
    value[8192 - strlen("a = ")] = '\0';
    snprintf(text, sizeof(text), "[kafka]\na = %s\r\n", value);
    load_text(&loaded, text);
    assert_string_equal(loaded.complaints, "");
    assert_string_equal(loaded.options.kafka.properties.items[0].value, value);
    options_fini(&loaded.options);

    value[8192 - strlen("a = ")] = 'v';
    value[8193 - strlen("a = ")] = '\0';
    snprintf(text, sizeof(text), "[kafka]\na = %s\nb = c\n", value);
    load_text(&loaded, text);
    assert_int_equal(loaded.options.kafka.properties.count, 1);
    assert_complaints(&loaded, ":2: the line is longer than 8192 bytes\n");
}

static void
test_which_file(void **state)
{
    const char *fallback = access(OPTIONS_FILE, F_OK) == 0 ? OPTIONS_FILE : "";
    const char *file;

    (void)state;
    setenv("VERVE_CONF", "/b", 1);
    assert_string_equal(options_file("/a"), "/a");
    assert_string_equal(options_file(NULL), "/b");
    setenv("VERVE_CONF", "", 1);
    file = options_file(NULL);
    assert_string_equal(file == NULL ? "" : file, fallback);
    unsetenv("VERVE_CONF");
    file = options_file(NULL);
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

/* The output of options_print, to be freed; NULL if it refuses the key. */
static char *
printed(const struct options *options, const char *key)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int result;

    assert_non_null(out);
    result = options_print(out, options, key);
    assert_int_equal(fclose(out), 0);
    if (result != 0) {
        assert_string_equal(text, "");
        free(text);
        return NULL;
    }
    return text;
}

static void
assert_printed(const struct options *options, const char *key,
               const char *expected)
{
    char *text = printed(options, key);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void
test_print_defaults(void **state)
{
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, no_environment);
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char key[OPTION_NAME_SIZE];
        char line[256];

        snprintf(key, sizeof(key), "%s.%s", row->section, row->key);
        snprintf(line, sizeof(line), "%s\n",
                 row->type == OPTION_PROPERTIES ? "" : row->fallback);
        assert_printed(&loaded.options, key, line);
    }
    options_fini(&loaded.options);
}

static void
test_print(void **state)
{
    char *const environment[] = {
        (char[]){"VERVE_REDIS_URL=redis://u:p%40@h:1/2"},
        (char[]){"VERVE_CALLBACKS_RETRY_DELAYS_S="},
        (char[]){"VERVE_CALLBACKS_METHOD=GET"},
        (char[]){"VERVE_REPORT_SINKS=none"},
        (char[]){"VERVE_KAFKA_SECURITY_PROTOCOL=ssl"},
        NULL,
    };
    static const char *const unknown[] = {"",    "redis", "redis.",
                                          "url", ".url",  "no.url"};
    struct loaded loaded;

    (void)state;
    load(&loaded, NULL, environment);
    assert_int_equal(loaded.result, 0);
    assert_printed(&loaded.options, "redis.url", "redis://u:p%40@h:1/2\n");
    assert_printed(&loaded.options, "callbacks.retry_delays_s", "\n");
    assert_printed(&loaded.options, "callbacks.method", "GET\n");
    assert_printed(&loaded.options, "report.sinks", "none\n");
    assert_int_equal(loaded.options.report.sinks, 0);
    assert_printed(&loaded.options, "kafka.security.protocol", "ssl\n");
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
        assert_null(printed(&loaded.options, unknown[i]));
    }
    options_fini(&loaded.options);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_shipped_file),
        cmocka_unit_test(test_shipped_file_has_all_keys),
        cmocka_unit_test(test_environment_overrides_file),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_which_file),
        cmocka_unit_test(test_help_names_every_key),
        cmocka_unit_test(test_print_defaults),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests_name("options", tests, make_directory,
                                       remove_directory);
}
