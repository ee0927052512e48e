/*
 * status_judge: a page on which all is well, with one change after the other.
 * Each finding appears above its limit and not at it; docs/status.md has all
 * codes of the source and of this test, with their severities.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "doc_table.h"
#include "status_json.h"
#include "status_judge.h"

#define DOCUMENT "docs/status.md"
#define SOURCE "fcgi-app/status_judge.c"

/* A reporter, callbacks and web hosts as a list has them. */
#define REPORTS "{'worker': 'reports', 'living': true, 'age_ms': 100}"
#define CALLBACKS "{'worker': 'callbacks', 'living': true, 'age_ms': 100}"
#define WEB(host, more) "{'host': '" host "', 'living': true, " more "}"
#define A WEB("a", "'version': '1', 'config': 'aa', 'skew_ms': 0")

static const char well[] =
    "{'redis': {'answers': true},"
    " 'store': {"
    "  'window': {'start': 6000, 'seconds': 60, 'ahead_s': 0},"
    "  'windows': [{'start': 5940, 'count': 3}],"
    "  'memory': {'used': 1048576, 'max': 104857600},"
    "  'queue': {'jobs': 1, 'bytes': 100, 'dead': 0, 'oldest_ms': 10,"
    "            'max_jobs': 50, 'max_bytes': 2097152},"
    "  'sinks': [{'name': 'file', 'lag': 0, 'failing_s': 0, 'age_ms': 10}],"
    "  'destinations': [{'origin': 'http://d', 'breaker': 'closed',"
    "                    'failed': 0}],"
    "  'web': [" A "],"
    "  'reporters': [" REPORTS ", " CALLBACKS "]}}";

/* What is changed of the page, and the findings that follow: their severity,
   code and a part of their text. */
static const struct {
    const char *change;
    struct {
        const char *severity;
        const char *code;
        const char *text;
    } found[2];
} rows[] = {
    {"{}", {{0}}},

    {"{'redis': {'fault': 'redis-unavailable', 'error': 'refused'}}",
     {{"down", "redis-unavailable", "Redis does not answer: nothing is"}}},
    {"{'redis': {'fault': 'redis-eviction-policy', 'error': 'lru'}}",
     {{"down", "redis-eviction-policy", "requests get 503. lru"}}},
    {"{'redis': {'fault': 'redis-rights', 'error': 'NOPERM'}}",
     {{"down", "redis-rights", "lacks rights"}}},
    {"{'redis': {'fault': 'settings-differ', 'error': '60'}}",
     {{"down", "settings-differ", "other settings"}}},
    {"{'redis': {'fault': 'redis-full', 'error': 'OOM'}}",
     {{"down", "redis-full", "out of memory: nothing"}}},
    {"{'redis': {'fault': 'redis-refuses-writes', 'error': 'MISCONF'}}",
     {{"down", "redis-refuses-writes",
       "refuses writes: nothing is counted, "
       "requests get 503. MISCONF"}}},
    {"{'redis': {'fault': 'replicas-missing', 'error': 'NOREPLICAS'}}",
     {{"down", "replicas-missing",
       "too few replicas of Redis: nothing is "
       "counted, requests get 503. NOREPLICAS"}}},
    /* Nothing else is judged then. */
    {"{'redis': {'fault': 'redis-unavailable'}, 'store': {'reporters': []}}",
     {{"down", "redis-unavailable", ""}}},

    {"{'shards': [{'shard': 0}, {'shard': 1}]}", {{0}}},
    {"{'shards': [{'shard': 0}, {'shard': 1, 'node': 'n:1', 'error': 'gone'}]}",
     {{"down", "shard-away",
       "Shard 1 (n:1) is away: requests for its ids get "
       "503, and windows are recorded late. gone"}}},
    {"{'shards': [{'shard': 0, 'error': 'gone'}, {'shard': 1}],"
     " 'redis': {'fault': 'redis-unavailable'}, 'store': {'reporters': []}}",
     {{"down", "shard-away", "Shard 0"}}},
    {"{'shards': [{'shard': 0, 'error': 'x'}, {'shard': 1, 'error': 'x'}],"
     " 'redis': {'fault': 'redis-unavailable', 'error': 'x'}}",
     {{"down", "redis-unavailable", "x"}}},

    {"{'store': {'memory': {'used': 94371840}}}", {{0}}},
    {"{'store': {'memory': {'used': 94371930}}}",
     {{"warning", "redis-nearly-full", "Redis uses 90 % of its memory"}}},
    {"{'store': {'memory': {'used': 104857600}}}",
     {{"warning", "redis-nearly-full", "99 %"}}},
    {"{'store': {'memory': {'used': 104857601}}}",
     {{"down", "redis-full", "It uses 100 of 100 MB"}}},
    {"{'store': {'memory': {'max': 0}}}", {{0}}},

    {"{'store': {'reporters': [" REPORTS "]}}",
     {{"warning", "no-callback-worker", "and 1 wait."}}},
    {"{'store': {'reporters': [" REPORTS "], 'queue': {'jobs': 0}}}", {{0}}},
    {"{'store': {'reporters': []}}",
     {{"down", "no-reporter", "No reporter runs: counts are not reported"}}},
    {"{'store': {'reporters': [" CALLBACKS ", {'worker': 'reports',"
     " 'living': false, 'age_ms': 7900}]}}",
     {{"down", "no-reporter", "runs, and none was seen for 7 s: counts"}}},

    {"{'store': {'queue': {'jobs': 49}}}", {{0}}},
    {"{'store': {'queue': {'jobs': 50, 'bytes': 1048576, 'oldest_ms': 60001}}}",
     {{"down", "queue-full", "50 of 50 callbacks, 1 of 2 MB."}}},
    {"{'store': {'queue': {'bytes': 2097151}}}", {{0}}},
    {"{'store': {'queue': {'bytes': 2097152}}}",
     {{"down", "queue-full", "1 of 50 callbacks, 2 of 2 MB."}}},
    {"{'store': {'queue': {'oldest_ms': 60000}}}", {{0}}},
    {"{'store': {'queue': {'oldest_ms': 60001}}}",
     {{"warning", "callbacks-late", "first attempt for 60 s"}}},
    {"{'store': {'queue': {'dead': 1}}}",
     {{"note", "dead-callbacks", "were given up: 1."}}},

    {"{'store': {'window': {'ahead_s': 60}}}", {{0}}},
    {"{'store': {'window': {'ahead_s': 61}}}",
     {{"warning", "redis-clock", "begins 61 s ahead"}}},
    {"{'store': {'web': [" A ", " WEB("b", "'skew_ms': 2000") "]}}", {{0}}},
    {"{'store': {'web': [" A ", " WEB("b", "'skew_ms': -2000") "]}}", {{0}}},
    {"{'store': {'web': [" A ", " WEB("b", "'skew_ms': 2001") "]}}",
     {{"warning", "clock-skew", "web host b differs from Redis's by 2 s."}}},
    {"{'store': {'web': [" WEB("b", "'skew_ms': -3001") "]}}",
     {{"warning", "clock-skew", "by -3 s. So do all hosts' clocks"}}},

    {"{'store': {'web': [" A ", " A
     ", " WEB("b", "'version': '1', 'config': 'bb'") "]}}",
     {{"warning", "configuration-differs",
       "Web host b has another "
       "configuration (bb)"}}},
    {"{'store': {'web': [" A
     ", " WEB("b", "'version': '1', 'config': 'bb'") "]}}",
     {{"warning", "configuration-differs", "Web host a "},
      {"warning", "configuration-differs", "Web host b "}}},
    {"{'store': {'web': [" A
     ", " WEB("b", "'version': '2', 'config': 'bb'") "]}}",
     {{0}}},

    {"{'store': {'sinks': [{'name': 'file', 'lag': 2}]}}", {{0}}},
    {"{'store': {'sinks': [{'name': 'file', 'lag': 3}]}}",
     {{"warning", "sink-behind", "The sink file is behind, by 3 windows."}}},
    {"{'store': {'sinks': [{'name': 'file', 'lag': 3, 'age_ms': 600000}]}}",
     {{"warning", "sink-behind", ""}}},
    {"{'store': {'sinks': [{'name': 'file', 'lag': 3, 'age_ms': 600001}]}}",
     {{0}}},
    {"{'store': {'sinks': [{'name': 'file', 'lag': 3, 'failing_s': 1,"
     " 'error': 'disk full'}]}}",
     {{"warning", "sink-failing", "for 1 s (windows behind: 3): disk full"}}},

    {"{'store': {'destinations': [{'origin': 'http://d', 'breaker': 'closed',"
     " 'failed': 2}]}}",
     {{"note", "destination-down", "Failed attempts in a row: 2;"}}},
    {"{'store': {'destinations': [{'origin': 'http://d', 'breaker': 'closed',"
     " 'failed': 3}]}}",
     {{"warning", "destination-down", "http://d fails"}}},
    {"{'store': {'destinations': [{'origin': 'http://d', 'breaker': 'open',"
     " 'failed': 0}]}}",
     {{"warning", "destination-down", "circuit breaker: open."}}},

    {"{'store': {'windows': [{'start': 5760}]}}",
     {{"warning", "windows-not-closed", "3 windows have ended"}}},
    {"{'store': {'windows': [{'start': 5820}]}}", {{0}}},
    {"{'store': {'windows': []}}", {{0}}},
    {"{'store': {'windows': [{'start': 5940}, {'start': 5880, 'gap': true}]}}",
     {{"note", "gaps", "Gaps among the last 2 windows: 1."}}},

    {"{'store': {'web': [" A ", {'host': 'b', 'age_ms': 599999}]}}",
     {{"warning", "web-host-gone", "Web host b was last seen 599 s ago."}}},
    {"{'store': {'web': [" A ", {'host': 'b', 'age_ms': 600000}]}}", {{0}}},

    /* The worst is the first, and decides the state. */
    {"{'store': {'queue': {'dead': 2}, 'reporters': []}}",
     {{"down", "no-reporter", ""}, {"note", "dead-callbacks", ""}}},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), FOUND = 2 };

/* Reads JSON with ' for ". */
static json_t *
read_json(const char *text)
{
    char *copy = strdup(text);
    json_error_t error;
    json_t *json;

    assert_non_null(copy);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    json = json_loads(copy, 0, &error);
    if (json == NULL) {
        fail_msg("%s: %s", text, error.text);
    }
    free(copy);
    return json;
}

static json_t *
judge(const char *change)
{
    json_t *page = read_json(well);
    json_t *more = read_json(change);

    assert_int_equal(json_object_update_recursive(page, more), 0);
    json_decref(more);
    status_judge(page);
    return page;
}

/* A note does not change the state. */
static const char *
state_of(size_t i)
{
    const char *worst = rows[i].found[0].severity;

    return worst == NULL || strcmp(worst, "note") == 0 ? "ok" : worst;
}

static bool
is_as_expected(size_t i, const json_t *page)
{
    const json_t *findings = json_object_get(page, "findings");
    size_t count = 0;

    while (count < FOUND && rows[i].found[count].code != NULL) {
        const json_t *finding = json_array_get(findings, count);

        if (strcmp(text_of(finding, "severity"),
                   rows[i].found[count].severity) != 0 ||
            strcmp(text_of(finding, "code"), rows[i].found[count].code) != 0 ||
            strstr(text_of(finding, "text"), rows[i].found[count].text) ==
                NULL ||
            text_of(finding, "todo")[0] == '\0') {
            return false;
        }
        count++;
    }
    return json_array_size(findings) == count &&
           strcmp(text_of(page, "state"), state_of(i)) == 0;
}

static void
test_each_finding_at_its_limit(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        json_t *page = judge(rows[i].change);

        if (!is_as_expected(i, page)) {
            char *found = json_dumps(json_object_get(page, "findings"), 0);

            print_error("%s: %s %s\n", rows[i].change, text_of(page, "state"),
                        found);
            free(found);
            failed++;
        }
        json_decref(page);
    }
    assert_int_equal(failed, 0);
}

/* Nothing was ever read from Redis: only what is wrong with Redis is told. */
static void
test_a_page_without_store(void **state)
{
    json_t *page = read_json("{'redis': {'fault': 'redis-unavailable'}}");

    (void)state;
    status_judge(page);
    assert_string_equal(text_of(page, "state"), "down");
    assert_int_equal(json_array_size(json_object_get(page, "findings")), 1);
    json_decref(page);
}

/* Whether some row finds this code, and with this severity. "": any. */
static bool
is_found(const char *code, const char *severity)
{
    for (size_t i = 0; i < ROWS * FOUND; i++) {
        const char *one = rows[i / FOUND].found[i % FOUND].code;

        if (one != NULL && strcmp(one, code) == 0 &&
            (severity[0] == '\0' ||
             strcmp(rows[i / FOUND].found[i % FOUND].severity, severity) ==
                 0)) {
            return true;
        }
    }
    return false;
}

static bool
is_documented(const char *code)
{
    FILE *file = fopen(DOCUMENT, "r");
    struct doc_row row;
    bool found = false;

    assert_non_null(file);
    while (!found && doc_next_row(file, &row)) {
        found = strcmp(row.cells[0], code) == 0;
    }
    fclose(file);
    return found;
}

/* The rows of the table of findings have a severity in the second cell. */
static void
test_document_has_what_is_tested(void **state)
{
    static const char *const severities[] = {"down", "warning", "note"};
    FILE *file = fopen(DOCUMENT, "r");
    struct doc_row row;
    int failed = 0, codes = 0;

    (void)state;
    assert_non_null(file);
    while (doc_next_row(file, &row)) {
        for (size_t i = 0; row.count > 2 && i < 3; i++) {
            if (strcmp(row.cells[1], severities[i]) == 0) {
                codes++;
                if (!is_found(row.cells[0], severities[i])) {
                    print_error("no test of %s (%s)\n", row.cells[0],
                                severities[i]);
                    failed++;
                }
            }
        }
    }
    fclose(file);
    assert_true(codes > 0);
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].found[0].code != NULL &&
            !is_documented(rows[i].found[0].code)) {
            print_error("%s lacks %s\n", DOCUMENT, rows[i].found[0].code);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* In the source, a code is a literal that follows a severity (find) or begins a
   row (faults). */
static bool
begins_code(const char *source, const char *quote)
{
    const char *before = quote;

    while (before > source && isspace((unsigned char)before[-1])) {
        before--;
    }
    return before - source > 1 &&
           (before[-1] == '{' ||
            (before[-1] == ',' && isupper((unsigned char)before[-2])));
}

static void
test_each_code_of_the_source_is_tested(void **state)
{
    static char source[1 << 16];
    FILE *file = fopen(SOURCE, "r");
    int failed = 0, codes = 0;
    size_t len;

    (void)state;
    assert_non_null(file);
    len = fread(source, 1, sizeof(source) - 1, file);
    assert_true(len < sizeof(source) - 1);
    fclose(file);
    for (char *quote = source; (quote = strchr(quote, '"')) != NULL; quote++) {
        size_t size = strspn(quote + 1, "abcdefghijklmnopqrstuvwxyz-");
        char code[64];

        if (size == 0 || quote[size + 1] != '"' ||
            !begins_code(source, quote)) {
            continue;
        }
        snprintf(code, sizeof(code), "%.*s", (int)size, quote + 1);
        codes++;
        if (!is_found(code, "") || !is_documented(code)) {
            print_error("%s: not tested or not documented: %s\n", SOURCE, code);
            failed++;
        }
    }
    assert_true(codes > 20);
    assert_int_equal(failed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_finding_at_its_limit),
        cmocka_unit_test(test_a_page_without_store),
        cmocka_unit_test(test_document_has_what_is_tested),
        cmocka_unit_test(test_each_code_of_the_source_is_tested),
    };

    return cmocka_run_group_tests_name("status_judge", tests, NULL, NULL);
}
