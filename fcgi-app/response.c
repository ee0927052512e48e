/*
 * response: the text of the few responses that there are. No response may be
 * cached, because a cache that answers in our place would lose counts. The text
 * is put together from pieces, which is cheaper than printf: there is one for
 * each request.
 */
#include "response.h"

#include <string.h>

#include "base/decimal.h"

/* The headers of every response, after the status. */
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

/* The header that a status requires (RFC 9110); "" if none. */
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

/* nginx sends the reason as it stands here; RFC 9112, 4, wants the blank. */
static const char *
reason(int status)
{
    switch (status) {
    case 200:
        return " OK";
    case 400:
        return " Bad Request";
    case 403:
        return " Forbidden";
    case 404:
        return " Not Found";
    case 405:
        return " Method Not Allowed";
    case 503:
        return " Service Unavailable";
    default:
        return " ";
    }
}

static char *
put_status(char *to, int status)
{
    to = put(to, "Status: ");
    to += decimal_format(to, status);
    to = put(to, reason(status));
    return put(to, status == 200 ? HEAD "2\r\n" : HEAD "6\r\n");
}

static char *
put_window(char *to, const char *window)
{
    to = put(to, "Verve-Window: ");
    to = put(to, window);
    return put(to, "\r\n");
}

static char *
put_error(char *to, enum error_code error)
{
    to = put(to, "Verve-Error: ");
    to = put(to, error_code_name(error));
    return put(to, "\r\n");
}

size_t
response_format(const struct response *response, char text[RESPONSE_MAX_BYTES])
{
    char *to = put_status(text, response->status);

    to = put(to, extra_header(response->status));
    if (response->window != NULL) {
        to = put_window(to, response->window);
    }
    if (response->error != ERROR_CODE_NONE) {
        to = put_error(to, response->error);
    }
    to = put(to, "\r\n");
    if (!response->head) {
        to = put(to, response->status == 200 ? "ok" : "failed");
    }
    return (size_t)(to - text);
}
