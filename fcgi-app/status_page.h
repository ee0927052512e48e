/*
 * GET /api/verve/stats: what is going on, as JSON of at most 16 KB, and the
 * files of the page /status/ that shows it. docs/status.md describes the JSON.
 */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include "config/options.h"
#include "fcgi_conn.h"
#include "pool_stats.h"
#include "store/store.h"

struct status_page;

enum {
    STATUS_PAGE_BYTES = 16384, /* of the JSON, at most */
    STATUS_PAGE_MS = 500, /* between two looks at Redis, of the whole pool */
};

/* All is borrowed for its life. NULL: no memory. */
struct status_page *status_page_open(const struct options *options,
                                     struct store *store,
                                     struct pool_stats *stats);
void status_page_close(struct status_page *page);

/*
 * Answers with the JSON, which is at most STATUS_PAGE_MS old, unless Redis does
 * not answer: then what it knew last. Blocks for a round trip if it has to
 * look, at most as redis_run does. Without memory the answer is empty, which
 * web servers turn into 500.
 */
void status_page_respond(struct status_page *page,
                         struct fcgi_exchange *exchange);

/* Answers with the file that the request asks for. */
void status_page_respond_file(struct fcgi_exchange *exchange);

#endif
