/*
 * envelope: the texts and the list that chains them are in one piece of
 * memory, so that addressing one needs no more.
 */
#include "headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rfc3339.h"

#define WEBHOOK_SIGNATURE_HEADER "webhook-signature: "

enum { HEADER_SIZE = 96 };

/* CONTENT_TYPE is the last: a GET has none. */
enum header {
    ID,
    TIMESTAMP,
    WINDOW,
    LOOP_GUARD,
    EXPECT,
    CONTENT_TYPE,
    HEADERS
};

struct headers {
    const struct webhook_signature *signature; /* NULL: none */
    char headers[HEADERS][HEADER_SIZE];
    struct curl_slist list[HEADERS + 1];
    char signed_by[]; /* that header, webhook_signature_size more bytes */
};

static void
set_header(struct headers *headers, enum header header, const char *name,
           const char *value)
{
    snprintf(headers->headers[header], HEADER_SIZE, "%s:%s%s", name,
             value[0] == '\0' ? "" : " ", value);
}

/* Chains up the first count headers, and the signature where there is one. */
static void
chain(struct headers *headers, size_t count)
{
    struct curl_slist *last = headers->list;

    for (size_t i = 0; i < count; i++) {
        last = &headers->list[i];
        last->data = headers->headers[i];
        last->next = last + 1;
    }
    if (headers->signature != NULL) {
        last++;
        last->data = headers->signed_by;
    }
    last->next = NULL;
}

struct headers *
headers_open(const struct webhook_signature *signature, bool has_body)
{
    size_t size = signature == NULL ? 0
                                    : sizeof(WEBHOOK_SIGNATURE_HEADER) +
                                          webhook_signature_size(signature);
    struct headers *headers = calloc(1, sizeof(*headers) + size);

    if (headers == NULL) {
        return NULL;
    }
    headers->signature = signature;
    set_header(headers, LOOP_GUARD, "Verve-Callback", "1");
    set_header(headers, EXPECT, "Expect", ""); /* libcurl then sends none */
    set_header(headers, CONTENT_TYPE, "Content-Type", "application/json");
    chain(headers, has_body ? HEADERS : CONTENT_TYPE);
    return headers;
}

void
headers_close(struct headers *headers)
{
    free(headers);
}

static int
sign(struct headers *headers, const struct webhook_signature_of *of)
{
    int len = sprintf(headers->signed_by, "%s", WEBHOOK_SIGNATURE_HEADER);

    return webhook_signature_make(headers->signature, of,
                                  headers->signed_by + len);
}

int
headers_address(struct headers *headers, const struct job *job,
                const char *content, size_t len)
{
    struct webhook_signature_of of = {
        .id = job->id,
        .timestamp_s = clock_wall_ms() / 1000,
        .content = content,
        .content_len = len,
    };
    char text[RFC3339_SIZE];

    set_header(headers, ID, "webhook-id", job->id);
    snprintf(text, sizeof(text), "%" PRId64, of.timestamp_s);
    set_header(headers, TIMESTAMP, "webhook-timestamp", text);
    rfc3339_format(text, job->window_s);
    set_header(headers, WINDOW, "Verve-Window", text);
    return headers->signature == NULL ? 0 : sign(headers, &of);
}

struct curl_slist *
headers_list(struct headers *headers)
{
    return headers->list;
}
