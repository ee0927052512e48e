/*
 * answer: the few answers that there are. None may be cached: a cache that
 * answered in our place would lose counts.
 */
#include "answer.h"

#include <stdio.h>

#include "window.h"

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

size_t
answer_format(const struct answer *answer, char text[ANSWER_MAX_BYTES])
{
    const char *body = answer->status == 200 ? "ok" : "failed";
    char window[16 + WINDOW_TEXT_SIZE] = "";
    char error[96] = "";
    int len;

    if (answer->window_s != 0) {
        char start[WINDOW_TEXT_SIZE];

        window_format(start, answer->window_s);
        snprintf(window, sizeof(window), "Verve-Window: %s\r\n", start);
    }
    if (answer->error != NULL) {
        snprintf(error, sizeof(error), "Verve-Error: %s\r\n", answer->error);
    }
    len = snprintf(text, ANSWER_MAX_BYTES,
                   "Status: %d\r\n"
                   "Content-Type: text/plain\r\n"
                   "Content-Length: %d\r\n"
                   "Cache-Control: no-store\r\n"
                   "%s%s%s\r\n%s",
                   answer->status, answer->status == 200 ? 2 : 6,
                   extra_header(answer->status), window, error,
                   answer->head ? "" : body);
    return (size_t)len;
}
