/*
 * headers: the texts of all headers and the nodes of their list are in one
 * block of memory, so that headers_write allocates nothing.
 */
#include "headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rfc3339.h"

#define WEBHOOK_SIGNATURE_HEADER "webhook-signature: "

enum { HEADER_SIZE = 96 };

/* CONTENT_TYPE is last, so that a GET can leave it out. */
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
    char signature_header[]; /* webhook-signature, name and value */
};

static void
set_header(struct headers *headers, enum header header, const char *name,
           const char *value)
{
    snprintf(headers->headers[header], HEADER_SIZE, "%s:%s%s", name,
             value[0] == '\0' ? "" : " ", value);
}

/* Links the first count headers, and the signature if there is one. */
static void
link_list(struct headers *headers, size_t count)
{
    struct curl_slist *last = headers->list;

    for (size_t i = 0; i < count; i++) {
        last = &headers->list[i];
        last->data = headers->headers[i];
        last->next = last + 1;
    }
    if (headers->signature != NULL) {
        last++;
        last->data = headers->signature_header;
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
    set_header(headers, EXPECT, "Expect", ""); /* libcurl sends none */
    set_header(headers, CONTENT_TYPE, "Content-Type", "application/json");
    link_list(headers, has_body ? HEADERS : CONTENT_TYPE);
    return headers;
}

void
headers_close(struct headers *headers)
{
    free(headers);
}

static int
sign(struct headers *headers, const struct webhook_signature_input *input)
{
    int len =
        sprintf(headers->signature_header, "%s", WEBHOOK_SIGNATURE_HEADER);

    return webhook_signature_make(headers->signature, input,
                                  headers->signature_header + len);
}

int
headers_write(struct headers *headers, const struct job *job,
              const char *content, size_t len)
{
    struct webhook_signature_input input = {
        .id = job->id,
        .timestamp_s = job_now_ms(job) / 1000,
        .content = content,
        .content_len = len,
    };
    char text[RFC3339_SIZE];

    set_header(headers, ID, "webhook-id", job->id);
    snprintf(text, sizeof(text), "%" PRId64, input.timestamp_s);
    set_header(headers, TIMESTAMP, "webhook-timestamp", text);
    rfc3339_format(text, job->window_s);
    set_header(headers, WINDOW, "Verve-Window", text);
    return headers->signature == NULL ? 0 : sign(headers, &input);
}

struct curl_slist *
headers_list(struct headers *headers)
{
    return headers->list;
}
