/*
 * envelope: the texts and the list that chains them are in one piece of
 * memory, so that addressing one needs no more.
 */
#include "envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "window.h"

#define SIGNATURE_HEADER "webhook-signature: "

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

struct envelope {
    const struct signature *signature; /* NULL: none */
    char headers[HEADERS][HEADER_SIZE];
    struct curl_slist list[HEADERS + 1];
    char signed_by[]; /* that header, signature_size more bytes */
};

static void
set_header(struct envelope *envelope, enum header header, const char *name,
           const char *value)
{
    snprintf(envelope->headers[header], HEADER_SIZE, "%s:%s%s", name,
             value[0] == '\0' ? "" : " ", value);
}

/* Chains up the first count headers, and the signature where there is one. */
static void
chain(struct envelope *envelope, size_t count)
{
    struct curl_slist *last = envelope->list;

    for (size_t i = 0; i < count; i++) {
        last = &envelope->list[i];
        last->data = envelope->headers[i];
        last->next = last + 1;
    }
    if (envelope->signature != NULL) {
        last++;
        last->data = envelope->signed_by;
    }
    last->next = NULL;
}

struct envelope *
envelope_open(const struct signature *signature, bool has_body)
{
    size_t size = signature == NULL
                      ? 0
                      : sizeof(SIGNATURE_HEADER) + signature_size(signature);
    struct envelope *envelope = calloc(1, sizeof(*envelope) + size);

    if (envelope == NULL) {
        return NULL;
    }
    envelope->signature = signature;
    set_header(envelope, LOOP_GUARD, "Verve-Callback", "1");
    set_header(envelope, EXPECT, "Expect", ""); /* libcurl then sends none */
    set_header(envelope, CONTENT_TYPE, "Content-Type", "application/json");
    chain(envelope, has_body ? HEADERS : CONTENT_TYPE);
    return envelope;
}

void
envelope_close(struct envelope *envelope)
{
    free(envelope);
}

static int
sign(struct envelope *envelope, const struct signature_of *of)
{
    int len = sprintf(envelope->signed_by, "%s", SIGNATURE_HEADER);

    return signature_make(envelope->signature, of, envelope->signed_by + len);
}

int
envelope_address(struct envelope *envelope, const struct job *job,
                 const char *content, size_t len)
{
    struct signature_of of = {
        .id = job->id,
        .timestamp_s = clock_wall_ms() / 1000,
        .content = content,
        .content_len = len,
    };
    char text[WINDOW_TEXT_SIZE];

    set_header(envelope, ID, "webhook-id", job->id);
    snprintf(text, sizeof(text), "%" PRId64, of.timestamp_s);
    set_header(envelope, TIMESTAMP, "webhook-timestamp", text);
    window_format(text, job->window_s);
    set_header(envelope, WINDOW, "Verve-Window", text);
    return envelope->signature == NULL ? 0 : sign(envelope, &of);
}

struct curl_slist *
envelope_list(struct envelope *envelope)
{
    return envelope->list;
}
