/*
 * The headers of a callback: what stands around its body. Lives as long as the
 * attempt that it belongs to, as libcurl borrows the list.
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
 * signature is borrowed for its life; NULL: nothing is signed. has_body says
 * whether a Content-Type is needed. NULL: no memory.
 */
struct headers *headers_open(const struct webhook_signature *signature,
                             bool has_body);
void headers_close(struct headers *headers);

/*
 * Writes the headers of one attempt at job, made now. content[0..len) is what
 * is signed: the body, or for a GET, which has none, the path and the query.
 * 0, or -1 where libcrypto refuses.
 */
int headers_address(struct headers *headers, const struct job *job,
                    const char *content, size_t len);

/* For CURLOPT_HTTPHEADER: the same list for all of the envelope's life. */
struct curl_slist *headers_list(struct headers *headers);

#endif
