/*
 * answer: the few answers that there are. None may be cached: a cache that
 * answered in our place would lose counts. Nearly all are the `ok` of one
 * window, hence the pieces in place of a format.
 */
#include "response.h"

#include <string.h>

#include "base/decimal.h"
#include "base/rfc3339.h"

/* What comes after the status. */
#define HEAD                                                                   \
    "\r\nContent-Type: text/plain\r\n"                                         \
    "Cache-Control: no-store\r\n"                                              \
    "Content-Length: "

static char *
put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

/* The header that a status is not complete without (RFC 9110). */
static const char *
extra_header(int status)
{
    switch (status) {
    case 405:
        return "Allow: GET, HEAD\r\n";
    case 503:
        return "Retry-After: 1\r\n";
    default:
        return "";
    }
}

static char *
put_status(char *to, int status)
{
    to = put(to, "Status: ");
    to += decimal_format(to, status);
    return put(to, status == 200 ? HEAD "2\r\n" : HEAD "6\r\n");
}

static char *
put_window(char *to, int64_t window_s)
{
    char start[RFC3339_SIZE];

    rfc3339_format(start, window_s);
    to = put(to, "Verve-Window: ");
    to = put(to, start);
    return put(to, "\r\n");
}

static char *
put_error(char *to, const char *error)
{
    to = put(to, "Verve-Error: ");
    to = put(to, error);
    return put(to, "\r\n");
}

size_t
response_format(const struct response *response, char text[RESPONSE_MAX_BYTES])
{
    char *to = put_status(text, response->status);

    to = put(to, extra_header(response->status));
    if (response->window_s != 0) {
        to = put_window(to, response->window_s);
    }
    if (response->error != NULL) {
        to = put_error(to, response->error);
    }
    to = put(to, "\r\n");
    if (!response->head) {
        to = put(to, response->status == 200 ? "ok" : "failed");
    }
    return (size_t)(to - text);
}
