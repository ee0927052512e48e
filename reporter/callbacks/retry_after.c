/*
 * retry_after: strict about the form, as a guess would hold back a receiver
 * that has asked for nothing.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include "retry_after.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define BLANKS " \t\r\n"

static bool
ends_here(const char *text)
{
    return text[strspn(text, BLANKS)] == '\0';
}

static int64_t
bounded_ms(int64_t wait_s)
{
    if (wait_s <= 0) {
        return 0;
    }
    return wait_s < RETRY_AFTER_MAX_MS / 1000 ? wait_s * 1000
                                              : RETRY_AFTER_MAX_MS;
}

/* Digits alone, as many as one likes; -1 for anything else. */
static int64_t
read_seconds(const char *text)
{
    size_t len = strspn(text, "0123456789");
    int64_t wait_s = 0;

    if (len == 0 || !ends_here(text + len)) {
        return -1;
    }
    for (size_t i = 0; i < len && wait_s < RETRY_AFTER_MAX_MS; i++) {
        wait_s = wait_s * 10 + (text[i] - '0');
    }
    return bounded_ms(wait_s);
}

/* The program never leaves the C locale: names are English. */
static int64_t
read_date(const char *text, int64_t now_s)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* the one to be sent */
        "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850: to be understood */
        "%a %b %e %H:%M:%S %Y",      /* asctime: to be understood */
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);

        if (end != NULL && ends_here(end)) {
            return bounded_ms((int64_t)timegm(&tm) - now_s);
        }
    }
    return -1;
}

int64_t
retry_after_ms(const char *value, int64_t now_s)
{
    int64_t wait_ms;

    value += strspn(value, BLANKS);
    wait_ms = read_seconds(value);
    return wait_ms >= 0 ? wait_ms : read_date(value, now_s);
}
