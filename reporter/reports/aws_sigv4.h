/*
 * AWS Signature Version 4: the value of a request's Authorization header. The
 * rules and the names here are those of "Create a signed AWS API request" in
 * the user guide of AWS IAM,
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * Pure: uses no connection, clock or environment variable.
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stddef.h>

struct aws_sigv4_header {
    const char *name;  /* in lower case */
    const char *value; /* as sent; no blanks at the ends, no double blanks */
};

struct aws_sigv4_request {
    const char *method;
    const char *path;  /* the canonical URI, "/" at least */
    const char *query; /* the canonical query string, or "" */
    /* The signed headers, each once, sorted by name: "host", "x-amz-date" (UTC,
       as 20260102T030405Z), all other "x-amz-" headers, and "content-type" if
       it is sent. */
    const struct aws_sigv4_header *headers;
    size_t header_count;
    const char *body;
    size_t body_len;
};

struct aws_sigv4_signer {
    const char *access_key; /* the key's id, which is sent */
    const char *secret_key;
    const char *region;
    const char *service;
};

/*
 * The value of Authorization; the caller frees it. NULL: no memory, libcrypto
 * refuses (its error queue says why), or there is no x-amz-date header.
 */
char *aws_sigv4_authorization(const struct aws_sigv4_request *request,
                              const struct aws_sigv4_signer *signer);

#endif
