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

/* What a probe has found; all is borrowed. */
struct readyz {
    const struct redis *redis;
    struct probe probe;
};

/* Why the host is not ready; ERROR_CODE_NONE: it is. */
enum error_code readyz_page_error(const struct readyz *readyz);

/*
 * Answers with all checks, as the request wants it. The reasons are texts of
 * Redis, which name its address and user but no password; if not
 * `with_reasons`, they are withheld. Without memory the answer is empty, which
 * web servers turn into 500.
 */
void readyz_page_respond(const struct readyz *readyz,
                         struct fcgi_exchange *exchange, bool with_reasons);

#endif
