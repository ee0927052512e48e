/*
 * status_present: each program said what follows here in its own words, and an
 * older or newer version may say less or more: what is missing is empty or 0.
 */
#include "status_present.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status_json.h"
#include "store/presence.h"
#include "store/status.h"

enum { DESTINATIONS_MOST = 10 };

static bool
is_web(const json_t *said)
{
    return strcmp(text_of(said, "program"), PRESENCE_WEB) == 0;
}

static bool
is_living(const json_t *entry)
{
    bool web = is_web(json_object_get(entry, "said"));

    return number_of(entry, "age_ms") <=
           (web ? PRESENCE_WEB_GONE_MS : PRESENCE_REPORTER_GONE_MS);
}

/* By how much the program's clock is ahead of Redis's; at_ms: Redis's clock
 * now.
 */
static json_int_t
skew_ms_of(const json_t *entry, json_int_t at_ms)
{
    json_int_t clock_ms = number_of(json_object_get(entry, "said"), "clock_ms");

    return clock_ms == 0 ? 0 : clock_ms - (at_ms - number_of(entry, "age_ms"));
}

/* The row of a web host or of a worker. */
static json_t *
program_row(const json_t *entry, json_int_t at_ms)
{
    const json_t *said = json_object_get(entry, "said");
    bool web = is_web(said);
    json_t *row = json_pack(
        "{s:o, s:o, s:o, s:o, s:I, s:b, s:I, s:I}", "host",
        status_text(text_of(said, "host")), "version",
        status_text(text_of(said, "version")), "config",
        status_text(text_of(said, "config")), web ? "pool" : "worker",
        status_text(web ? text_of(entry, "name") : text_of(said, "worker")),
        "age_ms", number_of(entry, "age_ms"), "living", is_living(entry),
        "started", number_of(said, "started"), "skew_ms",
        skew_ms_of(entry, at_ms));

    if (web) {
        json_object_set_new(row, "responders",
                            json_integer(number_of(said, "responders")));
    }
    return row;
}

/* The row of list whose member `key` is text, or a new one; NULL: no room. */
static json_t *
find_row(json_t *list, const char *key, const char *text)
{
    json_t *safe = status_text(text);
    json_t *row = NULL;
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (json_equal(json_object_get(row, key), safe)) {
            json_decref(safe);
            return row;
        }
    }
    if (json_array_size(list) >= STATUS_PRESENT * DESTINATIONS_MOST) {
        json_decref(safe);
        return NULL;
    }
    row = json_pack("{s:o}", key, safe);
    json_array_append_new(list, row);
    return row;
}

/* The number of recorded windows after the cursor, at most STATUS_WINDOWS. */
static json_int_t
lag_of(const json_t *windows, json_int_t cursor)
{
    json_int_t lag = 0;
    json_t *window;
    size_t i;

    json_array_foreach(windows, i, window)
    {
        lag += number_of(window, "start") > cursor;
    }
    return lag;
}

/* What a reporter says of one sink; the owner's word counts. */
static void
note_sink(json_t *status, const json_t *entry, const json_t *sink)
{
    json_t *row = find_row(json_object_get(status, "sinks"), "name",
                           text_of(sink, "name"));
    bool owned =
        is_living(entry) && json_is_true(json_object_get(sink, "owned"));
    json_int_t cursor = number_of(sink, "cursor");
    json_int_t age_ms = number_of(entry, "age_ms");

    if (row == NULL) {
        return;
    }
    if (json_object_get(row, "cursor") == NULL) { /* it is new */
        json_object_set_new(row, "owner", json_string(""));
        json_object_set_new(row, "error", json_string(""));
        json_object_set_new(row, "age_ms", json_integer(age_ms));
    }
    if (cursor < number_of(row, "cursor")) {
        cursor = number_of(row, "cursor");
    }
    json_object_set_new(row, "cursor", json_integer(cursor));
    json_object_set_new(
        row, "lag",
        json_integer(lag_of(json_object_get(status, "windows"), cursor)));
    if (owned) {
        json_object_set_new(
            row, "owner",
            status_text(text_of(json_object_get(entry, "said"), "host")));
        json_object_set_new(row, "error", status_text(text_of(sink, "error")));
        json_object_set_new(row, "failing_s",
                            json_integer(number_of(sink, "failing_s")));
        json_object_set_new(row, "age_ms", json_integer(age_ms));
    }
}

/* The worst state of a breaker comes last. */
static int
badness(const char *breaker)
{
    return strcmp(breaker, "open") == 0        ? 2
           : strcmp(breaker, "half-open") == 0 ? 1
                                               : 0;
}

static void
add_number(json_t *row, const json_t *from, const char *name)
{
    json_object_set_new(
        row, name, json_integer(number_of(row, name) + number_of(from, name)));
}

static void
keep_larger(json_t *row, const json_t *from, const char *name)
{
    if (number_of(from, name) >= number_of(row, name)) {
        json_object_set_new(row, name, json_integer(number_of(from, name)));
    }
}

/* What a worker says of one destination; all workers' words are added up. all:
   the rows by origin, as there may be a thousand. */
static void
note_destination(json_t *all, const json_t *destination)
{
    json_t *origin = status_text(text_of(destination, "origin"));
    json_t *row = json_object_get(all, json_string_value(origin));

    if (row == NULL) {
        row = json_pack("{s:O}", "origin", origin);
        json_object_set_new(all, json_string_value(origin), row);
    }
    json_decref(origin);
    if (badness(text_of(destination, "breaker")) >=
        badness(text_of(row, "breaker"))) {
        json_object_set_new(row, "breaker",
                            status_text(text_of(destination, "breaker")));
    }
    add_number(row, destination, "waiting");
    add_number(row, destination, "under_way");
    keep_larger(row, destination, "failed");
    keep_larger(row, destination, "blocked_ms");
    keep_larger(row, destination, "took_ms");
}

static int
compare_destinations(const void *a_row, const void *b_row)
{
    const json_t *a = *(json_t *const *)a_row;
    const json_t *b = *(json_t *const *)b_row;
    int worse = badness(text_of(b, "breaker")) - badness(text_of(a, "breaker"));
    json_int_t failed = number_of(b, "failed") - number_of(a, "failed");
    json_int_t more = number_of(b, "waiting") + number_of(b, "under_way") -
                      number_of(a, "waiting") - number_of(a, "under_way");

    if (worse != 0) {
        return worse;
    }
    more = failed != 0 ? failed : more;
    return more > 0 ? 1 : more < 0 ? -1 : 0;
}

/* The worst of them, the worst first. */
static json_t *
worst_of(json_t *all)
{
    size_t count = 0;
    json_t **rows = calloc(json_object_size(all) + 1, sizeof(json_t *));
    json_t *list = json_array();
    const char *origin;
    json_t *row;

    if (rows != NULL) {
        json_object_foreach(all, origin, row)
        {
            rows[count++] = row;
        }
        qsort(rows, count, sizeof(json_t *), compare_destinations);
        for (size_t i = 0; i < count && i < DESTINATIONS_MOST; i++) {
            json_array_append(list, rows[i]);
        }
    }
    free(rows);
    json_decref(all);
    return list;
}

static void
add_counts(json_t *sums, const json_t *counts)
{
    static const char *const names[] = {"delivered", "retried", "dead",
                                        "returned"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_number(sums, counts, names[i]);
    }
}

/* One program's word, into the lists of status; all: of destinations. */
static void
note_program(json_t *status, json_t *all, const json_t *entry)
{
    const json_t *said = json_object_get(entry, "said");
    json_t *list = json_object_get(status, is_web(said) ? "web" : "reporters");
    json_t *item;
    size_t i;

    json_array_append_new(list, program_row(entry, number_of(status, "at")));
    json_array_foreach(json_object_get(said, "sinks"), i, item)
    {
        note_sink(status, entry, item);
    }
    if (!is_living(entry)) {
        return;
    }
    json_array_foreach(json_object_get(said, "destinations"), i, item)
    {
        note_destination(all, item);
    }
    add_counts(json_object_get(status, "callbacks"),
               json_object_get(said, "counts"));
}

void
status_present_sort(json_t *status)
{
    json_t *all = json_object();
    json_t *entry;
    size_t i;

    json_object_set_new(status, "web", json_array());
    json_object_set_new(status, "reporters", json_array());
    json_object_set_new(status, "sinks", json_array());
    json_object_set_new(status, "callbacks", json_object());
    json_array_foreach(json_object_get(status, "present"), i, entry)
    {
        note_program(status, all, entry);
    }
    json_object_set_new(status, "destinations", worst_of(all));
    json_object_del(status, "present");
}

void
status_present_cut(json_t *status, size_t most)
{
    static const char *const lists[] = {"web", "reporters", "sinks",
                                        "destinations"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        json_t *list = json_object_get(status, lists[i]);

        while (json_array_size(list) > most) {
            json_array_remove(list, json_array_size(list) - 1);
        }
    }
}
