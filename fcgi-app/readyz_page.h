/*
 * The page /readyz with ?verbose: a line for each check, as the API server of
 * Kubernetes has it
 * (https://kubernetes.io/docs/reference/using-api/health-checks/), or JSON
 * (https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06).
 */
#ifndef READYZ_PAGE_H
#define READYZ_PAGE_H

#include <stdbool.h>

#include "fcgi_conn.h"
#include "redis/redis.h"
#include "store/error_code.h"
#include "store/probe.h"

/* What the probe of a shard has found; all is borrowed. */
struct readyz {
    const struct redis *redis;
    struct probe probe;
};

/*
 * Why the host is not ready; ERROR_CODE_NONE: it is. shards[0..count) are all
 * shards. It is ready if one of them would count, because the other web hosts
 * have the same shards: without the host, ids that are counted now would not be
 * counted either.
 */
enum error_code readyz_page_error(const struct readyz *shards, size_t count);

/*
 * Answers with all checks, as the request wants it. The reasons are texts of
 * Redis, which name its address and user but no password; if not
 * `with_reasons`, they are withheld. Without memory the answer is empty, which
 * web servers turn into 500.
 */
void readyz_page_respond(const struct readyz *shards, size_t count,
                         struct fcgi_exchange *exchange, bool with_reasons);

#endif
