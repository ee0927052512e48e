/*
 * record_format: dashboards match these words, so that no option changes them.
 */
#define _GNU_SOURCE /* memmem */
#include "record_format.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"

/* The words of a line and of a syslog message; between them the length of the
   window. */
#define WORDS_BEFORE "Unique requests in the last "
#define WORDS_AFTER ": "

enum { SPAN_SIZE = sizeof("9223372036854775807 seconds") };

/* Writes the length of a window: "minute" or "10 seconds". "1 seconds" has its
   s, so that programs find every length by one pattern. */
static void
format_span(char span[SPAN_SIZE], int64_t length_s)
{
    if (length_s == 60) {
        snprintf(span, SPAN_SIZE, "minute");
    } else {
        snprintf(span, SPAN_SIZE, "%" PRId64 " seconds", length_s);
    }
}

size_t
record_format_text(char text[RECORD_FORMAT_SIZE],
                   const struct window_record *record, int64_t now_ms)
{
    char now[RFC3339_SIZE], start[RFC3339_SIZE], span[SPAN_SIZE];
    int len;

    rfc3339_format_ms(now, now_ms);
    rfc3339_format(start, record->start_s);
    format_span(span, record->length_s);
    if (record->gap) {
        len = snprintf(text, RECORD_FORMAT_SIZE,
                       "%s WARN " WORDS_BEFORE "%s" WORDS_AFTER
                       "unknown window=%s gap",
                       now, span, start);
    } else {
        len = snprintf(
            text, RECORD_FORMAT_SIZE,
            "%s INFO " WORDS_BEFORE "%s" WORDS_AFTER "%" PRId64 " window=%s%s",
            now, span, record->count, start, record->late ? " late" : "");
    }
    return (size_t)len;
}

size_t
record_format_syslog(char text[RECORD_FORMAT_SIZE],
                     const struct window_record *record)
{
    char count[24] = "unknown", start[RFC3339_SIZE], span[SPAN_SIZE];
    int len;

    rfc3339_format(start, record->start_s);
    format_span(span, record->length_s);
    if (!record->gap) {
        snprintf(count, sizeof(count), "%" PRId64, record->count);
    }
    len = snprintf(
        text, RECORD_FORMAT_SIZE,
        WORDS_BEFORE "%s" WORDS_AFTER "%s window=%s window_seconds=%" PRId64
                     " late=%s%s",
        span, count, start, record->length_s, record->late ? "true" : "false",
        record->gap ? " gap=true" : "");
    return (size_t)len;
}

/* jansson writes keys in the order in which they were set. */
static json_t *
make_json(const struct window_record *record)
{
    char start[RFC3339_SIZE];
    json_t *json = json_object();

    rfc3339_format(start, record->start_s);
    json_object_set_new(json, "unique_request_count",
                        record->gap ? json_null()
                                    : json_integer(record->count));
    json_object_set_new(json, "window_start", json_string(start));
    json_object_set_new(json, "window_seconds", json_integer(record->length_s));
    json_object_set_new(json, "late", json_boolean(record->late));
    if (record->gap) {
        json_object_set_new(json, "gap", json_true());
    }
    return json;
}

size_t
record_format_json(char text[RECORD_FORMAT_SIZE],
                   const struct window_record *record)
{
    json_t *json = make_json(record);
    size_t keys = record->gap ? 5 : 4;
    size_t len = 0;

    if (json_object_size(json) == keys) {
        len = json_dumpb(json, text, RECORD_FORMAT_SIZE, JSON_COMPACT);
    }
    json_decref(json);
    return len;
}

/* Reads the window in line between the text before and the byte after, or the
   end of the line. */
static int
find_window(const char *line, size_t len, const char *before, char after,
            int64_t *start_s)
{
    const char *found = memmem(line, len, before, strlen(before));
    const char *start, *end;
    size_t rest;

    if (found == NULL) {
        return -1;
    }
    start = found + strlen(before);
    rest = len - (size_t)(start - line);
    end = memchr(start, after, rest);
    return rfc3339_parse(start, end != NULL ? (size_t)(end - start) : rest,
                         start_s);
}

int
record_format_window(const char *line, size_t len, int64_t *start_s)
{
    if (len > 0 && line[0] == '{') {
        return find_window(line, len, "\"window_start\":\"", '"', start_s);
    }
    if (memmem(line, len, WORDS_BEFORE, strlen(WORDS_BEFORE)) == NULL) {
        return -1;
    }
    return find_window(line, len, " window=", ' ', start_s);
}
