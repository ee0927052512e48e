/*
 * Tests of option_print: what a file may say is printed as a file would say it.
 */
#include "config/table.h"
#include "options_loaded.h"

/* What options_print says of key; free it. NULL: there is no such key. */
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
        cmocka_unit_test(test_print_defaults),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests_name("option_print", tests, NULL, NULL);
}
