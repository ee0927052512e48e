/*
 * The headers of a callback: what stands around its body. Lives as long as the
 * attempt that it belongs to, as libcurl borrows the list.
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "job.h"
#include "signature.h"

struct envelope;

/*
 * signature is borrowed for its life; NULL: nothing is signed. has_body says
 * whether a Content-Type is needed. NULL: no memory.
 */
struct envelope *envelope_open(const struct signature *signature,
                               bool has_body);
void envelope_close(struct envelope *envelope);

/*
 * Writes the headers of one attempt at job, made now. content[0..len) is what
 * is signed: the body, or for a GET, which has none, the path and the query.
 * 0, or -1 where libcrypto refuses.
 */
int envelope_address(struct envelope *envelope, const struct job *job,
                     const char *content, size_t len);

/* For CURLOPT_HTTPHEADER: the same list for all of the envelope's life. */
struct curl_slist *envelope_list(struct envelope *envelope);

#endif
