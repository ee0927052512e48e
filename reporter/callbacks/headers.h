/*
 * The HTTP headers of one call, as a list for libcurl, which borrows the list:
 * the headers live as long as the call.
 */
#ifndef HEADERS_H
#define HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "store/job.h"
#include "webhook_signature.h"

struct headers;

/*
 * signature is borrowed; NULL: no webhook-signature. has_body: a Content-Type
 * is needed. NULL: no memory.
 */
struct headers *headers_open(const struct webhook_signature *signature,
                             bool has_body);
void headers_close(struct headers *headers);

/*
 * Writes the headers of an attempt that is made now, by Redis's clock:
 * receivers refuse a time that is far from theirs. span_id is that of the
 * attempt, for traceparent. content[0..len) is signed: the body, or for a GET,
 * which has no body, path and query. 0, or -1 if libcrypto refuses.
 */
int headers_write(struct headers *headers, const struct job *job,
                  const char *span_id, const char *content, size_t len);

/* For CURLOPT_HTTPHEADER: always the same list, of the last job. */
struct curl_slist *headers_list(struct headers *headers);

#endif
