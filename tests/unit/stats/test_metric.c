/*
 * test_metric: the text that follows from a table and its cells, and the
 * layout.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stats/metric.h"

static const char *const colours[] = {"red", "a\"b\\c\nd"};
static const char *const sizes[] = {"s", "l"};
static const struct metric_bound bounds[] = {{"0.001", 1000}, {"0.5", 500000}};

static const struct metric table[] = {
    {"balls_total", "Balls.", METRIC_COUNTER, STATS_COUNTER,
     .labels = {{"colour", colours, 2}, {"size", sizes, 2}}, .first = 0},
    {"wait_seconds", "Waits.", METRIC_HISTOGRAM, STATS_COUNTER, .decimals = 6,
     .bounds = bounds, .bound_count = 2, .labels = {{"size", sizes, 2}},
     .first = 4},
    {"heat", "Heat.", METRIC_GAUGE, STATS_MOST, .decimals = 6, .first = 12},
};
enum { ROWS = 3, WAIT = 1, CELLS = 13 };

static char *
write_text(const uint64_t sums[STATS_CELLS])
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    metric_write(out, table, ROWS, sums);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void
test_text(void **state)
{
    uint64_t cells[STATS_CELLS] = {[0] = 7, [3] = 9, [12] = 1500000};
    char *text;

    (void)state;
    metric_observe(&table[WAIT], cells, 1, 1000, 2); /* a bound is inside */
    metric_observe(&table[WAIT], cells, 1, 1001, 1);
    metric_observe(&table[WAIT], cells, 1, 2000000, 1);
    text = write_text(cells);
    assert_string_equal(
        text, "# HELP balls_total Balls.\n# TYPE balls_total counter\n"
              "balls_total{colour=\"red\",size=\"s\"} 7\n"
              "balls_total{colour=\"red\",size=\"l\"} 0\n"
              "balls_total{colour=\"a\\\"b\\\\c\\nd\",size=\"s\"} 0\n"
              "balls_total{colour=\"a\\\"b\\\\c\\nd\",size=\"l\"} 9\n"
              "# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n"
              "wait_seconds_bucket{size=\"s\",le=\"0.001\"} 0\n"
              "wait_seconds_bucket{size=\"s\",le=\"0.5\"} 0\n"
              "wait_seconds_bucket{size=\"s\",le=\"+Inf\"} 0\n"
              "wait_seconds_sum{size=\"s\"} 0.000000\n"
              "wait_seconds_count{size=\"s\"} 0\n"
              "wait_seconds_bucket{size=\"l\",le=\"0.001\"} 2\n"
              "wait_seconds_bucket{size=\"l\",le=\"0.5\"} 3\n"
              "wait_seconds_bucket{size=\"l\",le=\"+Inf\"} 4\n"
              "wait_seconds_sum{size=\"l\"} 2.003001\n"
              "wait_seconds_count{size=\"l\"} 4\n"
              "# HELP heat Heat.\n# TYPE heat gauge\nheat 1.500000\n");
    free(text);
}

/* An unknown value has no series. */
static void
test_known_values(void **state)
{
    static const struct metric known[] = {
        {"skew", "Skew.", METRIC_GAUGE, STATS_KNOWN, .decimals = 6,
         .labels = {{"size", sizes, 2}}, .first = 0},
        {"lag", "Lag.", METRIC_GAUGE, STATS_KNOWN, .first = 2},
        {"none", "No values.", METRIC_GAUGE, STATS_KNOWN,
         .labels = {{"size", sizes, 0}}, .first = 3},
    };
    uint64_t cells[STATS_CELLS] = {0};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    stats_tell(&cells[1], -1500000);
    stats_tell(&cells[2], 0);
    metric_write(out, known, 3, cells);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "# HELP skew Skew.\n# TYPE skew gauge\n"
                              "skew{size=\"l\"} -1.500000\n"
                              "# HELP lag Lag.\n# TYPE lag gauge\nlag 0\n"
                              "# HELP none No values.\n# TYPE none gauge\n");
    free(text);
}

static void
test_each_cell_has_its_way_of_merging(void **state)
{
    struct stats_layout layout;

    (void)state;
    metric_layout(table, ROWS, &layout);
    for (int i = 0; i < STATS_CELLS; i++) {
        assert_int_equal(layout.merge[i], i < CELLS - 1 ? STATS_COUNTER
                                          : i < CELLS   ? STATS_MOST
                                                        : STATS_UNUSED);
    }
}

static uint64_t
id_of(const struct metric metrics[ROWS])
{
    struct stats_layout layout;

    metric_layout(metrics, ROWS, &layout);
    return layout.id;
}

/* Whatever gives a cell another meaning makes another layout. */
static void
test_the_layout_differs_if_a_meaning_does(void **state)
{
    static const char *const others[] = {"red", "blue"};
    static const struct metric_bound wider[] = {{"0.001", 1000},
                                                {"1", 1000000}};
    struct metric changed[ROWS];
    uint64_t id = id_of(table);

    (void)state;
    memcpy(changed, table, sizeof(table));
    changed[0].help = "Other words.";
    assert_true(id_of(changed) == id);
    changed[0].name = "cubes_total";
    assert_true(id_of(changed) != id);
    memcpy(changed, table, sizeof(table));
    changed[0].labels[0].values = others;
    assert_true(id_of(changed) != id);
    memcpy(changed, table, sizeof(table));
    changed[WAIT].bounds = wider;
    assert_true(id_of(changed) != id);
    memcpy(changed, table, sizeof(table));
    changed[2].merge = STATS_LEAST;
    assert_true(id_of(changed) != id);
    memcpy(changed, table, sizeof(table));
    changed[2].first = 13;
    assert_true(id_of(changed) != id);

    /* The value of a label that is the process's own may differ. */
    memcpy(changed, table, sizeof(table));
    changed[0].labels[0].own = true;
    id = id_of(changed);
    changed[0].labels[0].values = others;
    assert_true(id_of(changed) == id);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_each_cell_has_its_way_of_merging),
        cmocka_unit_test(test_the_layout_differs_if_a_meaning_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
