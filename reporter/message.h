/*
 * What a callback says: the body of a POST, or the URL of a GET. Depends on
 * nothing but the job, so that every attempt is byte for byte the same.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "option.h"

struct message {
    int method;        /* enum callback_method */
    char *prefix;      /* of a body: {"unique_request_count":, and a blank */
    char *query_param; /* of a GET: unique_requests= */
};

/* 0, or -1 for want of memory or a json_field that is not UTF-8 (errno). */
int message_init(struct message *message, const struct options *options);
void message_fini(struct message *message);

/* The size of a buffer for the longest body, with its NUL. */
size_t message_body_size(const struct message *message);

/* Writes the body of a POST, {"unique_request_count": N}; its length. */
size_t message_body(const struct message *message, int64_t count, char *body,
                    size_t size);

/* What is called: a scheme, a host and a port say whom. */
struct message_target {
    char *url;        /* malloc'd, for GET with the count in its query */
    const char *path; /* in url; for GET all behind the port, else NULL */
    char *host;       /* malloc'd, host:port as libcurl reads the URL */
    char *name;       /* malloc'd, to be looked up; NULL: an address */
};

/* 0, or -1 where libcurl can't read url; then the target is zeroed. */
int message_target(const struct message *message, const char *url,
                   int64_t count, struct message_target *target);
void message_target_fini(struct message_target *target);

#endif
