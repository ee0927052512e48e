/*
 * rfc3339: times as text, with the C library's struct tm. Digits are put down
 * one by one, as each response has a time, and strftime takes a sixth of the
 * instructions of a request.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include "rfc3339.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "decimal.h"

#define SECONDS "%Y-%m-%dT%H:%M:%S"

/* Writes a mark and two digits. */
static char *
put_two(char *to, char mark, int value)
{
    *to++ = mark;
    *to++ = (char)('0' + value / 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

/* Writes the text up to the second, without a zone. Returns its length. */
static size_t
format_seconds(char text[RFC3339_SIZE], int64_t time_s)
{
    time_t seconds = time_s;
    struct tm parts;
    char *to = text;

    if (gmtime_r(&seconds, &parts) == NULL) {
        memset(&parts, 0,
               sizeof(parts)); /* the year does not fit: 1900-01-00 */
    }
    to += decimal_format(to, (int64_t)parts.tm_year + 1900);
    to = put_two(to, '-', parts.tm_mon + 1);
    to = put_two(to, '-', parts.tm_mday);
    to = put_two(to, 'T', parts.tm_hour);
    to = put_two(to, ':', parts.tm_min);
    to = put_two(to, ':', parts.tm_sec);
    return (size_t)(to - text);
}

void
rfc3339_format(char text[RFC3339_SIZE], int64_t time_s)
{
    size_t len = format_seconds(text, time_s);

    memcpy(text + len, "Z", sizeof("Z"));
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
