/*
 * What a callback says: the body of a POST, or the URL of a GET. Depends on
 * nothing but the job, so that every attempt is byte for byte the same.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"

struct payload {
    int method;        /* enum callback_method */
    char *prefix;      /* of a body: {"unique_request_count":, and a blank */
    char *query_param; /* of a GET: unique_requests= */
};

/* 0, or -1 for want of memory or a json_field that is not UTF-8 (errno). */
int payload_init(struct payload *payload, const struct options *options);
void payload_fini(struct payload *payload);

/* The size of a buffer for the longest body, with its NUL. */
size_t payload_body_size(const struct payload *payload);

/* Writes the body of a POST, {"unique_request_count": N}; its length. */
size_t payload_body(const struct payload *payload, int64_t count, char *body,
                    size_t size);

/* What is called: a scheme, a host and a port say whom. */
struct payload_target {
    char *url;        /* malloc'd, for GET with the count in its query */
    const char *path; /* in url; for GET all behind the port, else NULL */
    char *host;       /* malloc'd, host:port as libcurl reads the URL */
    char *name;       /* malloc'd, to be looked up; NULL: an address */
};

/* 0, or -1 where libcurl can't read url; then the target is zeroed. */
int payload_target(const struct payload *payload, const char *url,
                   int64_t count, struct payload_target *target);
void payload_target_fini(struct payload_target *target);

#endif
