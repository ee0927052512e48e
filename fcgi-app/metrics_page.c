/*
 * metrics_page: the text is made anew for each request; there are a few a
 * minute.
 */
#define _GNU_SOURCE /* asprintf */
#include "metrics_page.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ip_list.h"

struct metrics_page {
    struct pool_stats *stats;
    struct ip_list loopback;
    struct ip_list allowed; /* metrics.allow */
};

struct metrics_page *
metrics_page_open(const struct options *options, struct pool_stats *stats)
{
    struct metrics_page *page = calloc(1, sizeof(*page));
    char why[IP_LIST_WHY_SIZE];

    if (page == NULL) {
        return NULL;
    }
    page->stats = stats;
    if (ip_list_read(&page->loopback, "127.0.0.0/8, ::1", why) != 0 ||
        ip_list_read(&page->allowed, options->metrics.allow, why) != 0) {
        metrics_page_close(page);
        return NULL;
    }
    return page;
}

void
metrics_page_close(struct metrics_page *page)
{
    if (page != NULL) {
        ip_list_fini(&page->loopback);
        ip_list_fini(&page->allowed);
        free(page);
    }
}

bool
metrics_page_is_allowed(const struct metrics_page *page,
                        const struct request *request)
{
    return (!request->forwarded &&
            ip_list_has(&page->loopback, &request->client, false)) ||
           ip_list_has(&page->allowed, &request->client, false);
}

/* The metrics, malloc'd; NULL: no memory. */
static char *
write_body(struct metrics_page *page, size_t *len)
{
    char *body = NULL;
    FILE *out = open_memstream(&body, len);

    if (out == NULL) {
        return NULL;
    }
    pool_stats_write(page->stats, out);
    if (fclose(out) != 0) {
        free(body);
        return NULL;
    }
    return body;
}

/* The response with its headers, malloc'd; NULL: no memory. */
static char *
write_response(struct metrics_page *page, bool head, size_t *len)
{
    size_t body_len;
    char *body = write_body(page, &body_len);
    char *text = NULL;
    int length;

    if (body == NULL) {
        return NULL;
    }
    length = asprintf(&text,
                      "Status: 200 OK\r\n"
                      "Content-Type: text/plain; version=0.0.4; "
                      "charset=utf-8\r\n"
                      "Cache-Control: no-store\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      body_len, head ? "" : body);
    free(body);
    if (length < 0) {
        return NULL;
    }
    *len = (size_t)length;
    return text;
}

void
metrics_page_respond(struct metrics_page *page, struct fcgi_exchange *exchange)
{
    size_t len = 0;
    char *text = write_response(page, exchange->request.head, &len);

    fcgi_conn_respond_text(exchange, text == NULL ? "" : text, len);
    free(text);
}
