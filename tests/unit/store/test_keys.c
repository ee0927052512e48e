/*
 * test_keys: the table of keys agrees with docs/redis-keys.md, no other C file
 * spells a key, and patterns become the right keys. That the keys in Redis are
 * as the document says is tested end to end (test_keys.py).
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "doc_table.h"
#include "redis_server.h"
#include "store/keys.h"

#define DOCUMENT "docs/redis-keys.md"

static struct redis_server server;

static int
find_pattern(const char *pattern)
{
    for (int key = 0; key < KEYS_COUNT; key++) {
        if (strcmp(keys_row((enum key)key)->pattern, pattern) == 0) {
            return key;
        }
    }
    return KEYS_COUNT;
}

/* Compares a row of the document with the table. 1 if they differ, else 0. */
static int
compare_row(const struct doc_row *row, int times[KEYS_COUNT])
{
    int key = find_pattern(row->cells[0]);
    const struct key_row *ours;

    if (key == KEYS_COUNT || row->count < 4) {
        print_error("%s: no such key: %s\n", DOCUMENT, row->cells[0]);
        return 1;
    }
    times[key]++;
    ours = keys_row((enum key)key);
    if (strcmp(ours->type, row->cells[1]) != 0 ||
        strcmp(ours->lifetime, row->cells[2]) != 0) {
        print_error("%s: %s is \"%s\", \"%s\"; in the table \"%s\", \"%s\"\n",
                    DOCUMENT, row->cells[0], row->cells[1], row->cells[2],
                    ours->type, ours->lifetime);
        return 1;
    }
    return 0;
}

static void
test_document_agrees(void **state)
{
    FILE *file = fopen(DOCUMENT, "r");
    int times[KEYS_COUNT] = {0};
    struct doc_row row;
    int failed = 0;

    (void)state;
    assert_non_null(file);
    while (doc_next_row(file, &row)) {
        if (strncmp(row.cells[0], "verve:", strlen("verve:")) == 0) {
            failed += compare_row(&row, times);
        }
    }
    fclose(file);
    for (int key = 0; key < KEYS_COUNT; key++) {
        if (times[key] != 1) {
            print_error("%s has %s %d times\n", DOCUMENT,
                        keys_row((enum key)key)->pattern, times[key]);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* Prints the lines of a file that add a key to a call. Returns their number. */
static int
count_spellings(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    int found = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strstr(line, "redis_key_text(") != NULL ||
            strstr(line, "redis_key_int(") != NULL) {
            print_error("%s spells a key: %s", path, line);
            found++;
        }
    }
    fclose(file);
    return found;
}

static void
test_no_other_file_spells_a_key(void **state)
{
    glob_t files = {0};
    int failed = 0;

    (void)state;
    assert_int_equal(glob("common/store/*.c", 0, NULL, &files), 0);
    assert_int_equal(glob("common/config/*.c", GLOB_APPEND, NULL, &files), 0);
    assert_int_equal(glob("fcgi-app/*.c", GLOB_APPEND, NULL, &files), 0);
    assert_int_equal(glob("reporter/*.c", GLOB_APPEND, NULL, &files), 0);
    assert_int_equal(glob("reporter/*/*.c", GLOB_APPEND, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        if (strcmp(files.gl_pathv[i], "common/store/keys.c") != 0) {
            failed += count_spellings(files.gl_pathv[i]);
        }
    }
    globfree(&files);
    assert_int_equal(failed, 0);
}

static const struct redis_script first_key = {
    .name = "first_key",
    .sha1 = "4a2267357833227dd98abdedb8cf24b15a986445",
    .body = "return KEYS[1]",
};

static const struct {
    enum key key;
    const char *text;
} texts[] = {
    {KEY_META, "p:{0}:meta"},
    {KEY_COUNT, "p:{0}:count:1767323040"},
    {KEY_WHOLE, "p:{0}:whole:setnx:1767323040"},
    {KEY_SEEN_ID, "p:{0}:seen:1767323040:-7"},
    {KEY_SEEN_SET, "p:{0}:seen:1767323040:s-7"},
    {KEY_SEEN_HLL, "p:{0}:seen:1767323040"},
    {KEY_SETS, "p:{0}:sets:1767323040"},
    {KEY_CALLBACKS_OF, "p:{0}:callbacks:0123456789abcdef"},
    {KEY_REPORTER, "p:{0}:reporter:h<:>{1}"},
    {KEY_WINDOWS, "p:windows"},
    {KEY_SINK, "p:sink:h<:>{1}"},
    {KEY_SINKS, "p:sinks"},
};

/* The keys of a call, as Redis receives them. */
static void
test_patterns_become_keys(void **state)
{
    struct key_parts parts = {.prefix = "p",
                              .window_s = 1767323040,
                              .strategy = "setnx",
                              .name = "h<:>{1}",
                              .hash = "0123456789abcdef"};
    struct redis *redis;

    (void)state;
    assert_int_equal(redis_server_start(&server), 0);
    redis = redis_server_connect(&server);
    assert_non_null(redis);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *pattern = keys_row(texts[i].key)->pattern;
        struct command *call = redis_call(redis, &first_key);
        const struct redis_reply *reply;
        struct key_stem stem;
        size_t len;

        if (strstr(pattern, "<id>") != NULL || strstr(pattern, "<set>")) {
            stem = keys_stem(texts[i].key, &parts);
            keys_add_numbered(call, &stem, -7);
        } else {
            keys_add(call, texts[i].key, &parts);
        }
        assert_int_equal(redis_run(redis, &reply), REDIS_DONE);
        assert_string_equal(redis_reply_text(reply, &len), texts[i].text);
    }
    redis_close(redis);
    redis_server_stop(&server);
}

/* If a key is too long, it is not cut off: the call fails. */
static void
test_long_key_fails(void **state)
{
    char name[REDIS_KEY_MAX_BYTES + 1];
    struct key_parts parts = {.prefix = "p", .name = name};
    const struct redis_reply *reply;
    struct redis *redis;

    (void)state;
    memset(name, 'n', sizeof(name));
    assert_int_equal(redis_server_start(&server), 0);
    redis = redis_server_connect(&server);
    assert_non_null(redis);
    name[REDIS_KEY_MAX_BYTES - 1 - strlen("p:sink:")] = '\0';
    keys_add(redis_call(redis, &first_key), KEY_SINK, &parts);
    assert_int_equal(redis_run(redis, &reply), REDIS_DONE);
    for (size_t len = strlen(name); len < REDIS_KEY_MAX_BYTES; len++) {
        memset(name, 'n', sizeof(name));
        name[len + 1] = '\0';
        keys_add(redis_call(redis, &first_key), KEY_SINK, &parts);
        assert_int_not_equal(redis_run(redis, &reply), REDIS_DONE);
    }
    redis_close(redis);
    redis_server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_agrees),
        cmocka_unit_test(test_no_other_file_spells_a_key),
        cmocka_unit_test(test_patterns_become_keys),
        cmocka_unit_test(test_long_key_fails),
    };

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
