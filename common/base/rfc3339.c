/*
 * rfc3339: times as text, with the C library's struct tm.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include "rfc3339.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS "%Y-%m-%dT%H:%M:%S"

/* Writes the text up to the second, without a zone. Returns its length. */
static size_t
format_seconds(char text[RFC3339_SIZE], int64_t time_s)
{
    time_t seconds = time_s;
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL) {
        memset(&parts, 0,
               sizeof(parts)); /* the year does not fit: 1900-01-00 */
    }
    return strftime(text, RFC3339_SIZE, SECONDS, &parts);
}

void
rfc3339_format(char text[RFC3339_SIZE], int64_t time_s)
{
    size_t len = format_seconds(text, time_s);

    snprintf(text + len, RFC3339_SIZE - len, "Z");
}

void
rfc3339_format_ms(char text[RFC3339_SIZE], int64_t time_ms)
{
    int64_t time_s = time_ms / 1000;
    int64_t rest_ms = time_ms % 1000;
    size_t len;

    if (rest_ms < 0) {
        rest_ms += 1000;
        time_s--;
    }
    len = format_seconds(text, time_s);
    snprintf(text + len, RFC3339_SIZE - len, ".%03dZ", (int)rest_ms);
}

int
rfc3339_parse(const char *text, size_t len, int64_t *time_s)
{
    char copy[RFC3339_SIZE];
    char again[RFC3339_SIZE];
    struct tm parts = {0};
    int64_t parsed;

    if (len >= sizeof(copy)) {
        return -1;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strptime(copy, SECONDS "Z", &parts) == NULL) {
        return -1;
    }
    /* strptime accepts more: the text is right if its time reads the same. */
    parsed = timegm(&parts);
    rfc3339_format(again, parsed);
    if (strlen(again) != len || memcmp(again, text, len) != 0) {
        return -1;
    }
    *time_s = parsed;
    return 0;
}
