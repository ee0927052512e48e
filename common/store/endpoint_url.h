/*
 * Which URLs may be endpoints. The judge is libcurl's own URL parser, so that
 * what the responder accepts is what the courier will be able to call, plus
 * the rules that it leaves to us. Says nothing of addresses: whether a host
 * may be called is decided when its address is known.
 */
#ifndef ENDPOINT_URL_H
#define ENDPOINT_URL_H

#include <stddef.h>

enum { ENDPOINT_URL_MAX_BYTES = 2048 };

/*
 * Judges url[0..*len), already percent-decoded, and cuts its fragment off by
 * shortening *len. Returns NULL where it may be called, else the name of the
 * broken rule, static, as the Verve-Error header shows it:
 *
 *   endpoint-too-long       over ENDPOINT_URL_MAX_BYTES
 *   endpoint-bad-byte       a byte outside 0x21-0x7E (RFC 3986, 2)
 *   endpoint-not-absolute   no scheme, or no // after it
 *   endpoint-bad-scheme     not http or https
 *   endpoint-no-host        an empty host
 *   endpoint-credentials    user information before the host
 *   endpoint-bad-port       port 0, over 65535, or not a number
 *   endpoint-zone-id        an IPv6 zone (RFC 6874)
 *   endpoint-malformed      anything else that libcurl refuses
 */
const char *endpoint_url_check(const char *url, size_t *len);

#endif
