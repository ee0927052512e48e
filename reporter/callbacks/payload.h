/*
 * The payload of a callback: the body of a POST, or the query of a GET. It
 * depends only on the job, so that all attempts are byte for byte the same.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"

struct payload {
    int method;        /* enum callback_method */
    char *prefix;      /* of the body: {"unique_request_count": and a blank */
    char *query_param; /* unique_requests= */
};

/* 0, or -1 (errno): no memory, or json_field is not UTF-8. */
int payload_init(struct payload *payload, const struct options *options);
void payload_fini(struct payload *payload);

/* The size of a buffer for the longest body, with its NUL. */
size_t payload_body_size(const struct payload *payload);

/* Writes the body, {"unique_request_count": N}. Returns its length. */
size_t payload_body(const struct payload *payload, int64_t count, char *body,
                    size_t size);

/* The URL of a call, and its parts. */
struct payload_target {
    char *url;        /* malloc'd; of a GET with the count in its query */
    const char *path; /* in url: path and query of a GET; else NULL */
    char *host;       /* malloc'd: host:port as libcurl reads the URL */
    char *name;       /* malloc'd: the host if it is a name; else NULL */
};

/* Makes the target of an endpoint. 0, or -1 if libcurl can't read url or there
   is no memory; then target is zeroed. */
int payload_target(const struct payload *payload, const char *url,
                   int64_t count, struct payload_target *target);
void payload_target_fini(struct payload_target *target);

#endif
