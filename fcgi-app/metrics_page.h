/*
 * The page /metrics: who may read it, and its response.
 */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include <stdbool.h>

#include "config/options.h"
#include "fcgi_conn.h"
#include "pool_stats.h"

struct metrics_page;

/* stats is borrowed for its life. NULL: no memory. */
struct metrics_page *metrics_page_open(const struct options *options,
                                       struct pool_stats *stats);
void metrics_page_close(struct metrics_page *page);

/*
 * True if the client is this host (a loopback address, and no proxy has added a
 * header), or metrics.allow has its address.
 */
bool metrics_page_is_allowed(const struct metrics_page *page,
                             const struct request *request);

/*
 * Answers with the metrics of the pool, in the text format 0.0.4 of Prometheus.
 * Without memory the answer is empty, which web servers turn into 500.
 */
void metrics_page_respond(struct metrics_page *page,
                          struct fcgi_exchange *exchange);

#endif
