/*
 * AWS Signature Version 4: the value of a request's Authorization header.
 * Source of all its rules, and of the names here: "Create a signed AWS API
 * request" in the user guide of AWS IAM,
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * Pure: nothing here knows of connections, clocks or the environment.
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stddef.h>

struct aws_sigv4_header {
    const char *name;  /* in lower case */
    const char *value; /* as it is sent: without blanks at an end or doubled */
};

/* What is signed. */
struct aws_sigv4_request {
    const char *method;
    const char *path;  /* the canonical URI, "/" at least */
    const char *query; /* the canonical query string; "": there is none */
    /* The signed headers, each once, by name: "host", "x-amz-date" (UTC, as
       20260102T030405Z), all other "x-amz-", and "content-type" if it is sent.
     */
    const struct aws_sigv4_header *headers;
    size_t header_count;
    const char *body;
    size_t body_len;
};

/* Who signs, and for what. */
struct aws_sigv4_signer {
    const char *access_key; /* the key's id: it is sent */
    const char *secret_key;
    const char *region;
    const char *service;
};

/*
 * The value of Authorization; the caller frees it. NULL: no memory, libcrypto
 * refuses, or there is no x-amz-date.
 */
char *aws_sigv4_authorization(const struct aws_sigv4_request *request,
                              const struct aws_sigv4_signer *signer);

#endif
